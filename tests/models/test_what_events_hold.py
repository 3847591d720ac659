"""The history is kept for ever: no event is larger than a person reads, and none holds what opens something."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models as fields

from rollouts.audit.actor import Actor
from rollouts.audit.bounds import MOST
from rollouts.audit.recording import Recording, _event
from rollouts.models import LockCalendar
from rollouts.models.change_log import AuditedModel, Change

HUGE = "canary " + "x" * 200_000
AUDITED = [model for model in apps.get_app_config("rollouts").get_models() if issubclass(model, AuditedModel)]
#: Columns whose names sound as if they held something that opens something, or a file; and why each may be told.
JUDGED = {
    "GitLabInstance.url": "a server that everybody here works with",
    "GitLabInstance.token_variable": "the name of a setting",
    "GitLabInstance.webhook_secret_variable": "the name of a setting",
    "GitLabProject.path": "a project that everybody here works with",
    "FeatureFlag.introduced_by_url": "of GitLab's public definition",
    "FeatureFlag.rollout_issue_url": "of GitLab's public definition",
    "FeatureFlag.feature_issue_url": "of GitLab's public definition",
    "ApprovalRequest.content": "what approvers were shown",
    "GitLabWrite.payload": "what the portal writes where everybody reads it",
    "Account.password_by": "who set it, not what it is",
    "ApprovalRequest.digest": "of what approvers were shown",
    "Approval.digest": "of what the approver was shown",
    "ChecklistItem.key": "its name within the rollout",
    "DriftCase.log_url": "an issue of GitLab's log of changes, which GitLab itself guards",
    "PlanTemplate.document": "everybody reads it; bounded like all else",
}


def columns(model):
    return [column for column in model._meta.concrete_fields if column.name not in model.unaudited_fields]


@pytest.mark.parametrize("model", AUDITED, ids=lambda model: model.__name__)
def test_no_column_makes_an_event_too_large_and_no_secret_is_in_one(model):
    """Every text and JSON column of the model at once is huge; whatever it is, the event fits and says what is left out."""
    huge = {
        column.attname: HUGE
        for column in columns(model)
        if isinstance(column, (fields.CharField, fields.JSONField, fields.TextField))
    }
    if not huge:
        return
    recording = Recording("test", Actor.system_user(), reason=HUGE)
    about = model.as_shown(huge)
    recording.change_log.note(Change(model._meta.label, 1, "one", dict(about), {**about, "few": 7}))
    for number in range(2, 6):
        recording.change_log.note(Change(model._meta.label, number, f"number {number}", dict(about), dict(about)))
    event = _event(recording)
    parts = (event.before, event.after, event.confidential, event.snapshot, event.said, event.reason)
    assert len(json.dumps(parts, default=str)) < MOST + 5_000
    assert event.after["few"] == 7
    assert all("SHA-256" in event.after[name] for name in set(huge) - model.secret_fields)
    assert all(event.after[name] == "…" for name in model.secret_fields & huge.keys())


def test_an_event_of_ten_thousand_objects_fits_too():
    recording = Recording("test", Actor.system_user())
    for number in range(10_000):
        recording.change_log.note(Change("rollouts.Phase", number, f"number {number}", {"title": "a"}, {"title": "b"}))
    event = _event(recording)
    assert len(json.dumps([event.before, event.after, event.said])) < MOST
    assert "characters, SHA-256" in json.dumps(event.after, ensure_ascii=False)


def test_what_fits_is_whole():
    recording = Recording("test", Actor.system_user(), reason="r" * 5_000)
    recording.change_log.note(
        Change("rollouts.PlanTemplate", 1, "one", {"document": "x" * 30_000}, {"document": "y" * 30_000})
    )
    event = _event(recording)
    assert (event.before, event.after) == ({"document": "x" * 30_000}, {"document": "y" * 30_000})
    assert event.reason == "r" * 5_000


def test_each_column_that_may_hold_a_secret_or_a_file_was_judged():
    sounds = re.compile("url|token|secret|password|digest|key$|content|payload|document|webhook")
    found = {
        f"{model.__name__}.{column.name}"
        for model in AUDITED
        for column in columns(model)
        if sounds.search(column.name)
        and column.name not in model.secret_fields
        and isinstance(column, (fields.CharField, fields.JSONField, fields.TextField, fields.BinaryField))
    }
    assert found <= JUDGED.keys(), "keep it from the history (secret_fields, unaudited_fields), or say why not"


def test_secrets_are_columns():
    for model in AUDITED:
        assert model.secret_fields <= {column.name for column in model._meta.concrete_fields}
    assert LockCalendar.secret_fields == {"url", "content"}


def test_calendars_from_before_keep_what_they_lock(tmp_path):
    """A database that holds calendars as the versions before kept them: periods in a column, the file beside."""
    home, path = Path(__file__).parents[2], tmp_path / "old.sqlite3"
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "DATABASE_URL": f"sqlite:///{path}",
           "SECRET_KEY": "x" * 60, "GITLAB_URL": "", "DEBUG": "true"}  # fmt: skip

    def run(*arguments):
        subprocess.run([sys.executable, *arguments], cwd=home, env=env, check=True, capture_output=True)

    run("-m", "tests.setup.earlier", "build", "0023")
    window = ["2026-12-24T11:00:00+00:00", "2027-01-02T08:00:00+00:00", "Freeze"]
    with sqlite3.connect(path) as old:
        old.execute(
            "INSERT INTO rollouts_lockcalendar (name, url, content, zone, windows, read_at, outcome, words)"
            " VALUES ('far', 'https://calendar.example.com/x', 'BEGIN:VCALENDAR', 'UTC', ?, '2026-11-28 10:00:00', 'ok', ''),"
            " ('near', '', 'BEGIN:VCALENDAR', 'UTC', '[]', NULL, 'unread', '')",
            [json.dumps([window])],
        )
    old.close()
    run("manage.py", "migrate", "rollouts")
    with sqlite3.connect(path) as new:
        kept = new.execute(
            "SELECT name, content, transparent_locks, known_until FROM rollouts_lockcalendar ORDER BY name"
        )
        assert kept.fetchall() == [("far", "", 1, "2028-01-02 10:00:00"), ("near", "BEGIN:VCALENDAR", 1, None)]
        periods = new.execute("SELECT starts_at, ends_at, title FROM rollouts_lockperiod").fetchall()
    new.close()
    assert periods == [("2026-12-24 11:00:00", "2027-01-02 08:00:00", "Freeze")]
