"""The history page: in the order of time, on the reader's clock, chosen from what there is; what is hidden is said."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, TrackedIssue, clock
from rollouts.services import tokens
from rollouts.services.lists.history import HistoryFilter
from tests.api.scripts import Script
from tests.portal.pages import signed_in, words
from tests.walk import SECRET_TITLE

pytestmark = pytest.mark.django_db


@pytest.fixture
def shuffled(world):
    """Events that were written in another order than they happened, as those of the demo are; two at one moment."""
    rollout = world.apply()
    for number, days in enumerate((3, 9, 1, 5, 7, 3, 2)):
        with (
            clock.told_at(world.now() - timedelta(days=days)),
            recorded("demo.told", by=world.actor("mia"), about=rollout, rollout=rollout) as recording,
        ):
            recording.notes = {"number": number}
    return world


def times(response):
    return [
        datetime.fromisoformat(at) for at in re.findall(r'<tr id="event.*?<time datetime="([^"]+)"', words(response))
    ]


def test_events_are_told_in_the_order_of_their_time_at_every_door(shuffled):
    vic, root = signed_in(shuffled, "vic"), signed_in(shuffled, "root")
    shown = times(vic.get("/audit/"))
    assert len(shown) == AuditEvent.objects.count()
    assert shown == sorted(shown, reverse=True)
    assert shown != [event.at for event in AuditEvent.objects.order_by("-pk")]

    _, token = tokens.issue(shuffled.people["vic"], "report", by=shuffled.actor("vic"))
    told = [event["at"] for event in Script(token).every("/audit", limit=2)]
    assert len(told) == AuditEvent.objects.count()
    assert told == sorted(told, reverse=True)

    history = root.get(f"/admin/rollouts/rollout/{shuffled.rollout().pk}/history/")
    ages = [datetime.fromisoformat(at) for at in re.findall(r'<time datetime="([^"]+)"', history.content.decode())]
    listed = [event.at for event in root.get("/admin/rollouts/auditevent/").context["cl"].result_list]
    assert len(ages) >= 7
    for found in (ages, listed):
        assert found == sorted(found, reverse=True)


def test_every_page_of_history_begins_where_the_one_before_ended(shuffled):
    page, seen = HistoryFilter({}).find(2).page, []
    while True:
        seen += page.rows
        if not page.next:
            break
        page = HistoryFilter({"after": page.next}).find(2).page
    assert seen == list(AuditEvent.objects.newest_first())
    back = page.rows
    while page.previous:
        page = HistoryFilter({"after": page.previous}).find(2).page
        back = [*page.rows, *back]
    assert back == seen


def test_times_are_on_the_readers_clock_and_say_whose(world):
    world.apply()
    vic = signed_in(world, "vic")
    vic.cookies["zone"] = "Asia/Kolkata"
    with clock.told_at(datetime.fromisoformat("2026-11-02T20:00:00+00:00")):
        world.apply(title="Claude Haiku, renamed")
    page = words(vic.get("/audit/"))
    assert "3 Nov 2026 01:30:00 IST" in page
    assert " UTC<" not in page
    day = words(vic.get("/audit/", {"since": "2026-11-03", "until": "2026-11-03"}))
    assert "3 Nov 2026 01:30:00 IST" in day
    assert "No event fits" in words(vic.get("/audit/", {"until": "2026-11-02"}))


def test_what_is_looked_for_is_chosen_from_what_there_is(world):
    world.up_to("team", "requested")
    vic = signed_in(world, "vic")
    page = words(vic.get("/audit/", {"verb": "phase.request", "source": "shell"}))
    chosen = dict(re.findall(r'<option value="([^"]*)" (?:selected)?>([^<]*)</option>', page))
    assert set(AuditEvent.objects.values_list("verb", flat=True)) <= set(chosen)
    assert chosen["phase.request"] == "asked for …"
    assert chosen["plan.apply"] == "applied the plan of …"
    assert 'value="phase.request" selected' in page
    assert 'value="shell" selected' in page
    assert '<option value="haiku">Claude Haiku</option>' in page
    assert '<option value="mia">' in page
    assert '<option value="nobody' not in page
    asked_for_nothing = words(vic.get("/audit/", {"verb": "phase.rename"}))
    assert 'value="phase.rename" selected' in asked_for_nothing  # the form says what was asked for


def test_the_choices_take_as_many_queries_for_many_events(world, django_assert_num_queries):
    world.up_to("team", "requested")
    vic = signed_in(world, "vic")
    with CaptureQueriesContext(connection) as few:
        vic.get("/audit/")
    world.up_to("company", "requested")
    with django_assert_num_queries(len(few)):
        vic.get("/audit/")


def test_confidential_values_are_shown_to_those_who_may_and_others_are_told_that_there_are(world):
    world.apply()
    world.sync()
    issue = TrackedIssue.objects.get(iid=11)
    with recorded("issue.read", by=world.actor("root"), about=issue, rollout=world.rollout()):
        issue.title = f"{SECRET_TITLE}, again"
        issue.save()
    event = AuditEvent.objects.latest("pk")
    assert event.confidential
    assert not event.before
    assert not event.after  # there is nothing else to show of it
    row = f'id="event-{event.pk}"'
    message = "comes from a confidential issue: it takes a role to see it"

    def its_row(name):
        return words(signed_in(world, name).get("/audit/?verb=issue")).partition(row)[2].partition("</tr>")[0]

    assert SECRET_TITLE in its_row("mia")
    assert message not in its_row("mia")
    assert SECRET_TITLE not in its_row("vic")
    assert message in its_row("vic")
    history = words(signed_in(world, "root").get(f"/admin/rollouts/rollout/{world.rollout().pk}/history/"))
    assert SECRET_TITLE in history


def test_before_and_after_are_a_difference_that_is_read_with_ways_on(world):
    rollout = world.apply(owners=["mia", "ann"])
    world.apply(title="Claude Haiku for code", owners=["mia", "bob"])
    vic = signed_in(world, "vic")
    event = AuditEvent.objects.filter(verb="plan.apply").latest("pk")
    page = words(vic.get("/audit/", {"verb": "plan.apply"}))
    row = page.partition(f'id="event-{event.pk}"')[2].partition("</tr>")[0]
    changed = re.sub(r">\s+<", "><", row)
    assert "<ins>Claude Haiku <b >for code</b></ins>" in changed  # words, and only those that are new
    assert "<del>mia<b >, ann</b></del>" in changed  # lists, item by item
    assert "<ins>mia<b >, bob</b></ins>" in changed
    day = timezone.localtime(event.at)
    assert f"{day:%A}, {day.day} {day:%b %Y}" in page
    assert "2 events" in page
    for way in (f"?object=Rollout%3A{rollout.pk}", f"?request={event.request_id}", "/rollouts/haiku/"):
        assert f'href="{way}"' in row
    found = words(vic.get("/audit/", {"request": event.request_id}))
    assert f'id="event-{event.pk}"' in found
    assert f'name="request" value="{event.request_id}"' in found  # the form keeps what a link has asked
