"""``audit find`` as table, JSON lines and CSV, and ``audit export``, have what the page and the API have."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta

import pytest

from rollouts.audit.recording import recorded
from rollouts.audit.source import coming_from
from rollouts.models import AuditEvent, Phase, TrackedIssue, clock
from rollouts.services import tokens
from tests.api.scripts import Script
from tests.commands.running import run
from tests.portal.pages import signed_in
from tests.walk import SECRET_TITLE

pytestmark = pytest.mark.django_db
FORMULA = '=HYPERLINK("http://evil.example","25 %")'
SECRET = "unspeakable"
#: Made by ``history``: filters as an address has them, and whether each finds something without the role.
MIXES = (
    {},
    {"rollout": "haiku"},
    {"actor": "mia", "verb": "phase,item.confirm"},
    {"verb": "phase", "source": "shell", "rollout": "haiku"},
    {"source": "command", "request": "r-1"},
    {"os_user": "OS_USER", "verb": "demo.told"},
    {"object": "PHASE"},
    {"since": "DAY_2", "until": "DAY_4"},
    {"q": "owning team"},
    {"q": "evil.example", "actor": "mia"},
    {"q": SECRET},
    {"q": SECRET, "verb": "issue"},
    {"actor": "alice", "verb": "lock"},
)


@pytest.fixture
def history(world):
    """More events than a page has, out of order, with a formula among them and words that need a role."""
    world.up_to("team", "requested")
    rollout = world.rollout()
    for number in range(60):
        with (
            clock.told_at(world.now() - timedelta(days=number % 7)),
            coming_from("command", f"r-{number % 3}"),
            recorded("demo.told", by=world.actor("mia"), about=rollout, rollout=rollout) as recording,
        ):
            recording.notes = {"number": number}
            recording.reason = FORMULA if number == 5 else "two\nlines \x1b[2J" if number == 6 else ""
    issue = TrackedIssue.objects.get(iid=11)
    with recorded("issue.read", by=world.actor("root"), about=issue, rollout=rollout):
        issue.title = f"{SECRET_TITLE}, {SECRET}"
        issue.save()
    return world


def filled(mix):
    day = [f"{clock.now() - timedelta(days=number):%Y-%m-%d}" for number in range(7)]
    os_user = AuditEvent.objects.exclude(way=None).first().way["os_user"]
    values = {"PHASE": f"Phase:{Phase.objects.first().pk}", "DAY_2": day[4], "DAY_4": day[2], "OS_USER": os_user}
    return {name: values.get(value, value) for name, value in mix.items()}


def options(query):
    return [f"--{'text' if name == 'q' else name.replace('_', '-')}={value}" for name, value in query.items()]


def on_pages(client, query):
    """The numbers of all events that the page leads through."""
    found, address = [], "/audit/"
    while address:
        page = client.get(address, query).content.decode()
        found += map(int, re.findall(r'<tr id="event-(\d+)"', page))
        following = re.search(r'href="(\?[^"]*)"\s+rel="next"', page)
        address, query = f"/audit/{following[1]}".replace("&amp;", "&") if following else "", None
    return found


def exported(path, query, name):
    """The events of an export and its manifest."""
    _, err, status = run("audit", "export", str(path), *options(query), "--as", name)
    assert status == 0, err
    *rows, manifest = map(json.loads, path.read_text().splitlines())
    return [row["event"] for row in rows], manifest["manifest"]


@pytest.mark.parametrize("name", ["vic", "alice"])
def test_each_form_and_the_export_have_what_page_and_api_have(history, name, tmp_path):
    client = signed_in(history, name)
    _, token = tokens.issue(history.people[name], "report", by=history.actor(name))
    sizes = set()
    for mix in MIXES:
        query = filled(mix)
        if not mix:
            query = {"until": f"{clock.now():%Y-%m-%dT%H:%M:%S.%fZ}"}  # looking is an event too: somebody signs in
        shown = on_pages(client, query)
        sizes.add(len(shown))
        told = Script(token).every("/audit", **query, limit=40)
        assert [event["id"] for event in told] == shown, mix
        arguments = ("audit", "find", *options(query), "--as", name, "--limit", "1000")
        lines, _, status = run(*arguments, "--jsonl")
        assert (status, list(map(json.loads, lines.splitlines()))) == (0, told), mix
        whole = json.loads(run(*arguments, "--json")[0])
        assert (whole["items"], whole["count"], whole["is_more"]) == (told, len(told), False), mix
        table, err, _ = run(*arguments)
        events = AuditEvent.objects.in_bulk(shown)
        assert [line.split("  ")[2] for line in table.splitlines()] == [events[pk].verb for pk in shown], mix
        assert err.startswith(f"{len(shown):,} event"), mix
        cells = list(csv.DictReader(io.StringIO(run(*arguments, "--csv")[0], newline="")))
        assert [int(row["id"]) for row in cells] == shown, mix
        assert [json.loads(row["after"] or "{}") for row in cells] == [event["after"] for event in told], mix
        in_export, manifest = exported(tmp_path / "export", query, name)
        assert sorted(in_export, key=lambda event: event["id"]) == sorted(told, key=lambda event: event["id"]), mix
        assert (manifest["query"], manifest["events"], manifest["is_whole"]) == (query, len(shown), False), mix
    assert max(sizes) > 60  # several pages
    assert 0 in sizes


def test_what_needs_a_role_is_in_no_form_without_it(history, tmp_path):
    for name, sees in (("vic", False), ("alice", True)):
        for form in ((), ("--json",), ("--jsonl",), ("--csv",)):
            every, err, _ = run("audit", "find", "--as", name, "--limit", "1000", *form)
            assert (SECRET in every) == (sees and bool(form)), (name, form)
            found, err, _ = run("audit", "find", "--text", SECRET, "--as", name, *form)
            assert (SECRET in found + err) == (sees and bool(form))
        run("audit", "export", str(tmp_path / name), "--as", name)
        assert (SECRET in (tmp_path / name).read_text()) == sees


def test_no_cell_is_a_formula_and_no_text_moves_the_cursor(history):
    table, _, _ = run("audit", "find", "--as", "vic", "--limit", "1000", "--csv")
    cells = [cell for row in csv.reader(io.StringIO(table, newline="")) for cell in row]
    assert f"'{FORMULA}" in cells
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    lines, _, _ = run("audit", "find", "--request", "r-0", "--as", "vic", "--limit", "1000")
    assert len(lines.splitlines()) == AuditEvent.objects.filter(request_id="r-0").count()
    assert "two lines" in lines
    assert "\x1b" not in lines
