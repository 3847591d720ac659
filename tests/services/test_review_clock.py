"""The reviewer's clock: working time until an answer, reminders at half and at the end, each once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rollouts.audit.recording import recorded
from rollouts.models import ApprovalRequest, AuditEvent, LockCalendar, LockPeriod, Notice
from rollouts.rules.document import DocumentRefused
from rollouts.rules.working_time import working_hours
from rollouts.services import accounts, due, notices
from tests.portal.pages import signed_in
from tests.services.refusing import refused
from tests.services.templates import own_template

pytestmark = pytest.mark.django_db
POLICY = "{needed: 1, decide_within: 10h}"
MONDAY = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


@pytest.fixture
def asked(world, settings, time_machine):
    """Asked for on a Monday morning, at the beginning of work."""
    settings.WORKING_HOURS = working_hours("Mon-Fri 09:00-17:00 UTC")
    time_machine.move_to(MONDAY)
    own_template(world, POLICY)
    world.do("request", "team", "mia")
    due.work()
    return world


def at(time_machine, hours):
    time_machine.move_to(MONDAY + timedelta(hours=hours))
    due.work()
    due.work()


def verbs():
    found = AuditEvent.objects.filter(verb__in=("approval.reminded", "approval.escalated")).order_by("pk")
    return [event.verb.partition(".")[2] for event in found]


def told(kind="reminded"):
    notices.work()
    return sorted(row.person.username for row in Notice.objects.filter(kind=kind, dropped=False))


def test_reminded_at_half_and_at_the_end_then_all_who_may_hear_of_it_each_once(asked, time_machine):
    at(time_machine, 4.9)
    assert verbs() == []
    at(time_machine, 5.01)
    assert verbs() == ["reminded"]
    assert told() == ["alice", "root", "sam"]
    at(time_machine, 7)
    assert verbs() == ["reminded"]
    at(time_machine, 24 + 2.01)
    assert verbs() == ["reminded", "reminded", "escalated"]
    at(time_machine, 48)
    assert verbs() == ["reminded", "reminded", "escalated"]
    assert "mia" in told(), "who asked hears that nobody has decided"
    page = signed_in(asked, "alice").get("/approvals/").content.decode()
    assert "of working time" in page
    clock = signed_in(asked, "alice").get("/api/v1/approvals").json()["items"][0]["clock"]
    assert (clock["within"], clock["reminders"], clock["runs"]) == (10 * 3_600, 2, True)
    assert round(clock["waited"] / 3_600) == 16
    asked.do("approve", "team", "alice")
    assert told() == [], "moot"


def test_evenings_weekends_and_holidays_do_not_count(asked, time_machine, settings):
    settings.HOLIDAY_CALENDARS = ["Holidays"]
    with recorded("calendar.add", by=asked.actor("root")):
        calendar = LockCalendar.objects.create(name="Holidays")
    tuesday = MONDAY.replace(hour=0) + timedelta(days=1)
    LockPeriod.objects.create(calendar=calendar, starts_at=tuesday, ends_at=tuesday + timedelta(days=1))
    at(time_machine, 7)
    assert verbs() == ["reminded"]
    at(time_machine, 24 + 7)
    assert verbs() == ["reminded"], "the clock stood on the holiday"
    at(time_machine, 48 + 2.01)
    assert verbs() == ["reminded", "reminded", "escalated"]


def test_it_counts_while_somebody_who_is_asked_is_at_work(asked, time_machine):
    for name in ("alice", "sam", "root"):
        accounts.set_working_hours(asked.people[name], "Wed-Fri 09:00-17:00 Europe/Berlin", by=asked.actor(name))
    at(time_machine, 30)
    assert verbs() == []
    at(time_machine, 52.1)
    assert verbs() == ["reminded"]


def test_the_first_answer_and_the_decision_are_told_in_working_time_and_it_stands_with_who_asked(
    asked, time_machine, settings
):
    time_machine.move_to(MONDAY + timedelta(hours=24 + 2))
    asked.do("approve", "team", "alice")
    row = ApprovalRequest.objects.get()
    assert round(row.first_answer_after / timedelta(hours=1), 1) == 10
    assert row.decided_after == row.first_answer_after
    assert row.waiting_since is None
    time_machine.move_to(MONDAY + timedelta(hours=48))
    asked.people["alice"].groups.clear()
    asked.sync()
    row = ApprovalRequest.objects.get()
    assert row.state == "open"
    assert (row.waited, row.decided_after) == (row.first_answer_after, None)
    assert row.waiting_since >= MONDAY + timedelta(hours=48)


def test_what_changes_is_asked_anew(asked, time_machine):
    at(time_machine, 5.01)
    with recorded("touch", by=asked.actor("mia"), rollout=asked.rollout(), about=asked.rollout()):
        rollout = type(asked.rollout()).objects.locked().get(slug="haiku")
        rollout.title = "Another"
        rollout.save()
    at(time_machine, 5.1)
    row = ApprovalRequest.objects.get()
    assert (row.round, row.reminders, row.waited) == (2, 0, timedelta(0))
    at(time_machine, 24 + 3)
    assert verbs() == ["reminded", "reminded"]


@pytest.mark.parametrize("written", ["1m", "60d", "soon", "8"])
def test_a_time_that_is_none_is_refused(world, written):
    with pytest.raises(DocumentRefused, match="decide_within"):
        own_template(world, f"{{needed: 1, decide_within: {written}}}")


def test_ones_own_hours_are_ones_own_and_what_are_none_are_told(world):
    alice = signed_in(world, "alice")
    answer = alice.post("/account/working-hours/", {"working_hours": "always"})
    assert answer.status_code == 422
    assert "are no working hours" in answer.content.decode()
    assert (
        alice.post("/account/working-hours/", {"working_hours": "mon-thu 08:00-16:00 Europe/Berlin"}).status_code == 303
    )
    assert 'value="Mon,Tue,Wed,Thu 08:00-16:00 Europe/Berlin"' in alice.get("/people/alice/").content.decode()
    assert AuditEvent.objects.filter(verb="account.working_hours").count() == 1
    assert refused(accounts.set_working_hours, world.people["alice"], "", by=world.actor("sam")).codes == {"role"}
