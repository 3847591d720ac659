"""The demo tells at a glance what the README says it tells."""

from __future__ import annotations

import re
import socket
from html import unescape
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from rollouts.models import AuditEvent, ChecklistItem, DriftCase, IssueFeedback, Rollout

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(db, settings, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings.DATA_DIR, settings.GITLAB_URL = tmp_path, ""
    call_command("demo", "--port", str(port))


def rows(name):
    """Each row of the portfolio as a person reads it, by group."""
    client = Client()
    client.login(username=name, password="rollout")
    page = client.get("/").content.decode()
    found = {}
    for section in page.split("<section")[1:]:
        title = re.search(r"<h2[^>]*>([^<]+)", section).group(1)
        found[title] = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)) for row in section.split("<article")[1:]]
    return found


def only(rows, title):
    (row,) = [row for row in rows if title in row]
    return row


#: What the README says of each rollout, as the portfolio of the person it names shows it.
SAID = {
    "Claude Haiku 4.5 for code completion": ("Needs you", "Advance to 50 %", "nothing blocks it"),
    "Codestral 25.08 over the v4 endpoint": (
        "Needs you",
        "GitLab: 50 % of actors. Plan: 25 % of actors. More people see the model than approved",
        "Set the flag back to 25 % of actors",
    ),
    "Claude Sonnet 4.6 for Duo Code Review": (
        "Needs you",
        "waiting for GitLab",
        "Set the flag to group acme_team_members",
    ),
    "Claude Haiku 4.5 as fail-over for completion": (
        "Needs you",
        "Still open: The provider can carry the requests",
        "The plan does not say how many requests per minute to expect at peak, and 1 more",
    ),
    "Gemini 2.5 Flash as fail-over for generation": ("Needs you", "Approve the start of Owning team", "asked by mia"),
    "Claude Sonnet 4.6 among the default models": (
        "Needs you",
        "Complete Whole company",
        "Decision: are there bugs to take to the provider? Not decided yet",
    ),
    "GPT-5 for agentic chat": ("Overdue for clean-up", "overdue for clean-up", "Remove the flag"),
}


def judged():
    """What judgement rests on is told as well: figures that acted, comparisons, decisions, comments, loose ends."""
    acted = AuditEvent.objects.get(verb="phase.pause", actor="metrics")
    assert acted.after["metrics"]["errors"]["value"] == 3.1
    resumed = AuditEvent.objects.get(verb="phase.resume", actor="mia")
    assert (acted.object_id, acted.at < resumed.at) == (resumed.object_id, True)
    assert AuditEvent.objects.get(verb="loose_ends.found").after["count"] > 0
    compared = ChecklistItem.objects.filter(
        rollout__slug="haiku-code-completion", kind="comparison", confirmed_by="mia"
    )
    assert {item.comparison["verdict"] for item in compared} == {"better"}
    decided = ChecklistItem.objects.filter(kind="decision", confirmed_at__isnull=False)
    assert set(decided.values_list("owner", flat=True)) == {"alice"}
    comments = IssueFeedback.objects.get(issue__iid=14).comments
    assert [one["author"] for one in comments] == ["vic", "kim"]


def test_the_demo_shows_who_is_needed_and_why_by_the_same_services_and_never_mixes_with_real_rollouts(demo, settings):
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    told = re.findall(r"^- \*\*(\w+)\*\* [^*]*\*([^*]+)\*", readme, re.MULTILINE)
    assert {title for _, title in told} == SAID.keys()
    seen = {name: rows(name) for name, _ in told}
    for name, title in told:
        group, *said = SAID[title]
        row = only(seen[name][group], title)
        assert all(words in row for words in said), row

    case = DriftCase.objects.get()
    assert (case.kind, case.state, case.owner) == ("ahead", "open", "mia")
    assert (case.changed_by, case.command) == ("jrivera", "feature set code_completion_v4_endpoint 50 --actors")
    client = Client()
    client.login(username="alice", password="rollout")
    page = unescape(client.get("/rollouts/gemini-fail-over/").content.decode())
    assert "“Codestral 25.08 over the v4 endpoint” comes first: it is underway." in page
    assert "When everybody has it can't be predicted yet" in page
    judged()
    assert Rollout.objects.count() == 7
    assert AuditEvent.objects.filter(verb="phase.approve", actor="alice").count() == 15
    assert AuditEvent.objects.filter(verb="phase.approve", actor="root").count() == 8  # companies, and steps from 50 %
    assert set(AuditEvent.objects.filter(verb__startswith="phase.").values_list("source", flat=True)) == {"demo"}
    with pytest.raises(CommandError, match="not empty"):
        call_command("demo")
    call_command("demo", "--if-empty")
    assert Rollout.objects.count() == 7


def test_the_demo_refuses_a_real_gitlab(db, settings):
    settings.GITLAB_URL = "https://gitlab.example.com"
    with pytest.raises(CommandError, match="simulator only"):
        call_command("demo")
