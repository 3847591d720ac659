"""What is past its age goes, in batches that lose nothing; what is evidence or still needed stays however old it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import time, timedelta

import pytest
from axes.models import AccessAttempt
from django.apps import apps
from django.contrib.auth.models import Group
from django.utils import timezone

from rollouts import tasks
from rollouts.audit import verifying
from rollouts.models import (
    ApiToken,
    AuditEvent,
    ChangeLock,
    FlagReading,
    GitLabWrite,
    HookDelivery,
    KeepingRun,
    SyncRun,
    Verification,
)
from rollouts.models.sessions import BrowserSession as Session
from rollouts.models.sessions import SessionStore
from rollouts.services import deliveries, locks, tokens
from rollouts.services.instances import default_instance
from rollouts.services.keeping import runs, sizes
from rollouts.services.keeping.rules import KEPT, RULES
from rollouts.services.refusals import Refused
from rollouts.sync import deliveries as worked
from rollouts.sync import outbox
from tests.commands.running import run as command
from tests.portal.pages import signed_in, words
from tests.services.change_locks import once


@pytest.fixture
def later(time_machine):
    return lambda **span: time_machine.move_to(timezone.now() + timedelta(**span))


def deliver(number):
    """One that says nothing that can be worked, so it is over, as failed, when it was tried."""
    deliveries.store(
        default_instance(), key=f"d{number}", event="Issue Hook", project_path="", happened_at=None, content={}
    )


def test_every_table_has_a_rule_or_says_why_it_stays():
    ruled = [label for each in (*RULES, *KEPT) for label in each.tables]
    there = {model._meta.label for model in apps.get_models(include_auto_created=True)}
    assert sorted(ruled) == sorted(there), "a table grows without a rule, or has two"


@pytest.fixture
def full(world, settings, later):
    """Something of each kind that was of use once, and long ago."""
    settings.GITLAB_WRITES = "issues"
    world.up_to("team", "active")
    while outbox.work().ids:
        pass
    world.sync()
    session = SessionStore()
    session.set_expiry(3600)
    session.create()
    AccessAttempt.objects.create(username="mia", ip_address="127.0.0.1", failures_since_start=1)
    deliver(1)
    worked.work()
    once(world, title="over")
    weekly = {"from_day": 4, "from_time": time(18), "to_day": 0, "to_time": time(8)}
    locks.add({"title": "weekend", "kind": "weekly", **weekly}, by=world.actor("mia"))
    for name in ("used", "in use"):
        tokens.issue(world.people["mia"], name, world.actor("mia"))
    tokens.revoke(ApiToken.objects.get(name="used"), by=world.actor("mia"))
    verifying.keep(verifying.verify())
    return world


def test_what_is_past_its_age_goes_and_what_is_needed_stays(full, later):
    readings, writes = FlagReading.objects.count(), GitLabWrite.objects.count()
    lanes = GitLabWrite.objects.order_by().values("lane").distinct().count()
    assert writes > lanes
    assert tasks.keep() is None
    assert not KeepingRun.objects.get().gone, "nothing is past its age yet"
    later(days=800)
    deliver(2)  # waits
    tasks.keep()
    gone = KeepingRun.objects.first().gone
    assert gone.keys() == {"sessions", "lock_outs", "deliveries", "writes", "locks", "tokens", "sync_runs"}
    assert not Session.objects.exists()
    assert not AccessAttempt.objects.exists()
    assert list(HookDelivery.objects.values_list("key", flat=True)) == ["d2"]
    assert [lock.title for lock in ChangeLock.objects.all()] == ["weekend"]
    assert [token.name for token in ApiToken.objects.all()] == ["in use"]
    assert (SyncRun.objects.count(), GitLabWrite.objects.count()) == (1, lanes)
    assert (FlagReading.objects.count(), Verification.objects.count()) == (readings, 1)


def test_one_event_tells_what_went_and_none_where_nothing_did(full, later):
    tasks.keep()
    assert not AuditEvent.objects.filter(verb="keeping.delete").exists()
    later(days=800)
    tasks.keep()
    begun = KeepingRun.objects.first().begun_at
    event = AuditEvent.objects.get(verb="keeping.delete")
    assert (event.actor_kind, event.actor, event.chain) == ("job", "keeping", "portal")
    assert event.after["tokens"]["rows"] == 1
    assert event.after["tokens"]["older_than"] == (begun - timedelta(days=365)).isoformat()
    later(hours=20)
    tasks.keep()
    assert KeepingRun.objects.count() == 2, "once a day"


def test_a_run_that_is_killed_goes_on_and_tells_all_of_it(world, later, monkeypatch, settings):
    monkeypatch.setattr(runs, "BATCH", 3)
    for number in range(10):
        deliver(number)
    worked.work()
    later(days=20)

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(sizes, "measure", dies)  # after the last batch, before anything was told
        with pytest.raises(KeyboardInterrupt):
            runs.work()
    assert not AuditEvent.objects.filter(verb="keeping.delete").exists()
    assert not HookDelivery.objects.exists()
    settings.KEEP_DELIVERIES_DAYS = 7
    runs.work()
    assert KeepingRun.objects.count() == 1
    assert AuditEvent.objects.get(verb="keeping.delete").after["deliveries"]["rows"] == 10


def test_one_turn_is_bounded_and_the_next_goes_on(world, later, monkeypatch):
    monkeypatch.setattr(runs, "BATCH", 2)
    for number in range(7):
        deliver(number)
    worked.work()
    later(days=20)
    assert runs.work(batches=2).ended_at is None
    assert HookDelivery.objects.count() == 3
    assert runs.work(batches=50).ended_at is not None
    assert runs.work() is None, "not due before tomorrow"
    assert AuditEvent.objects.get(verb="keeping.delete").after["deliveries"]["rows"] == 7


def test_the_command_says_what_would_go_then_does_it(full, later):
    later(days=800)
    out, _, code = command("keep", "--dry-run", "--json")
    would = json.loads(out)["would_go"]
    assert (code, would["tokens"]["rows"], would["tokens"]["days"]) == (0, 1, 365)
    assert not KeepingRun.objects.exists()
    assert ApiToken.objects.count() == 2
    out, _, _ = command("keep", "--dry-run")
    assert "tokens: 1 rows from before" in out
    assert "(KEEP_TOKENS_DAYS=365)" in out
    out, _, code = command("keep")
    assert (code, "tokens: 1 rows deleted" in out) == (0, True)
    assert AuditEvent.objects.get(verb="keeping.delete").actor.startswith("os:")
    assert "Nothing is past its age" in command("keep")[0]


def test_only_admins_delete_and_nobody_unknown(full, later):
    later(days=800)
    _out, err, code = command("keep", "--as", "mia")
    assert code == 1
    assert "takes the role admin" in err
    assert command("keep", "--as", "nobody")[2] == 2
    assert not KeepingRun.objects.exists()
    assert ApiToken.objects.count() == 2
    with pytest.raises(Refused):
        runs.refuse_others(full.actor("mia"))


def test_the_page_tells_rules_counts_and_sizes_to_admins_and_auditors(full, later):
    page = words(signed_in(full, "root").get("/keeping/"))
    assert "none yet" in page
    assert "within the hour" in page
    tasks.keep()
    later(days=800)
    tasks.keep()
    root = signed_in(full, "root")
    page = words(root.get("/keeping/"))
    for rule in RULES:
        assert rule.setting in page
        assert rule.what in page
    assert "365 days after they were revoked or ran out" in page
    events = KeepingRun.objects.first().sizes["events"]
    assert events["rows"] >= AuditEvent.objects.count() - 1
    assert events["bytes"] > 4096, "tables with their indexes are measured"
    assert "MB" in page or "KB" in page
    assert "What is kept, and for how long" in words(root.get("/sync/"))
    for name in ("mia", "alice", "vic"):
        answer = signed_in(full, name).get("/keeping/")
        assert answer.status_code == 403
        assert "takes the role auditor" in words(answer)
        assert "What is kept" not in words(signed_in(full, name).get("/sync/"))
    full.people["vic"].groups.add(Group.objects.get(name="auditor"))
    assert signed_in(full, "vic").get("/keeping/").status_code == 200


def test_the_page_asks_as_much_whatever_there_is(full, django_assert_max_num_queries):
    tasks.keep()
    root = signed_in(full, "root")
    root.get("/keeping/")
    with django_assert_max_num_queries(12):
        root.get("/keeping/")


@pytest.mark.django_db
def test_each_table_is_measured_once():
    before = sum(sizes.bytes_by_table().values())
    measured = sizes.measure()
    after = sum(sizes.bytes_by_table().values())  # PostgreSQL tidies up meanwhile
    assert min(before, after) <= sum(size["bytes"] for size in measured.values()) <= max(before, after)
    assert measured["people"]["rows"] > 0


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("KEEP_DELIVERIES_DAYS", "3", "from 7 to 36500"),
        ("KEEP_SESSIONS_DAYS", "-1", "from 0 to 36500"),
        ("KEEP_TOKENS_DAYS", "for ever", "from 1 to 36500"),
        ("KEEP_LOCKS_DAYS", "9999999", "from 30 to 36500"),
    ],
)
def test_days_that_are_none_stop_the_start_with_words(setting, value, words, tmp_path):
    done = subprocess.run(
        [sys.executable, "manage.py", "version"],
        env=os.environ | {setting: value, "DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == f"settings: {setting} is {value!r}; it must be a whole number {words}."
