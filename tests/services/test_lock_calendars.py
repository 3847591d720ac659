"""Calendars of change locks over time: their address is nobody's, their content no history, their past costs nothing."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollouts import tasks
from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, ChangeLock, LockCalendar, LockPeriod
from rollouts.services import calendars, locks, schedules
from rollouts.sync import calendars as reading
from tests.portal.crawling import crawl
from tests.portal.pages import signed_in
from tests.services.change_locks import ics, once
from tests.services.refusing import refused

pytestmark = pytest.mark.django_db
URL = "https://calendar.example.com/private-canary1/basic.ics?token=canary2"
CANARIES = ("canary1", "canary2", "canary3")


def event(start, hours=4, title="Freeze", **more):
    lines = [f"SUMMARY:{title}", f"DTSTART:{start:%Y%m%dT%H%M%SZ}", f"DURATION:PT{hours}H"]
    return [*lines, *(f"{name}:{value}" for name, value in more.items())]


@pytest.fixture
def followed(world, settings, monkeypatch):
    """A calendar at a secret address, read once; ``followed.says`` is what its server gives."""
    settings.LOCK_CALENDAR_HOSTS = ["calendar.example.com"]
    world.says = ics(event(world.now() + timedelta(days=1), DESCRIPTION="canary3"))
    monkeypatch.setattr(reading, "fetch", lambda url: world.says)
    world.calendar = calendars.add_calendar("freezes", URL, by=world.actor("root"))
    reading.read_due()
    return world


def again(world, time_machine, **later):
    time_machine.move_to(world.now() + timedelta(**later), tick=False)
    reading.read_due()


def events_of(verb):
    return list(AuditEvent.objects.filter(verb=verb).order_by("pk"))


def raw_event(calendar_pk):
    """As the history holds it since before addresses were known to be secret: it can't be rewritten."""
    values = {"url": URL, "content": "BEGIN:VCALENDAR canary3", "name": "freezes"}
    other = {f"LockCalendar {calendar_pk}: freezes": values}
    AuditEvent(
        at=datetime(2026, 1, 1, tzinfo=UTC), actor_kind="person", actor="root", verb="calendar.import",
        object_type="LockCalendar", object_id=str(calendar_pk), object_name="freezes", chain="portal", source="page",
        before=values, after={**values, **other}, snapshot=values,
    ).save(force_insert=True)  # fmt: skip


@pytest.mark.parametrize("name", ["vic", "mia", "alice", "root"])
def test_nobody_finds_the_address_or_the_content_anywhere(followed, name):
    raw_event(followed.calendar.pk)
    output = crawl(followed, name)
    assert [where for where, (_, words) in output.items() if any(canary in words for canary in CANARIES)] == []
    assert "<dt>url</dt><dd><ins>…</ins></dd>" in re.sub(r"\s", "", output["/audit/"][1])
    if name != "root":
        assert [where for where, (_, words) in output.items() if "calendar.example.com" in words] == []
    output = io.StringIO()
    call_command("audit", "find", "--json", stdout=output)
    assert "calendar.import" in output.getvalue()
    assert not any(canary in output.getvalue() for canary in CANARIES)


def test_the_address_is_for_admins_and_of_it_the_server(followed):
    shown = "https://calendar.example.com/…"
    assert shown in signed_in(followed, "root").get("/locks/").content.decode()
    for name in ("vic", "mia", "alice"):
        assert "calendar.example.com" not in signed_in(followed, name).get("/locks/").content.decode()
    for name, sees in (("root", True), ("mia", False)):
        for page in ("", f"{followed.calendar.pk}/change/"):
            content = signed_in(followed, name).get(f"/admin/rollouts/lockcalendar/{page}").content.decode()
            assert (shown in content) is sees, (name, page)
    assert events_of("calendar.add")[0].after["url"] == "…"
    found = signed_in(followed, "mia").get("/admin/rollouts/lockcalendar/?q=canary1").content.decode()
    assert "freezes" not in found  # whoever may search, may guess


def test_what_the_job_says_of_a_failure_names_no_server(world, settings):
    settings.LOCK_CALENDAR_HOSTS = ["calendar.example.com"]
    calendar = calendars.add_calendar("freezes", URL, by=world.actor("root"))
    settings.LOCK_CALENDAR_HOSTS = []
    reading.read(calendar)
    assert "calendar.example" not in signed_in(world, "vic").get("/locks/").content.decode()
    assert "Its address is not one that the portal reads" in calendar.words


def test_the_history_tells_periods_that_changed_and_no_content(followed, time_machine):
    (first,) = events_of("calendar.read")
    assert len(first.after["periods"]) == 1
    assert first.after["digest"] == sha256(followed.says).hexdigest()
    followed.says = followed.says.replace(b"DTSTAMP:20261101", b"DTSTAMP:20261102")
    again(followed, time_machine, minutes=20)
    assert len(events_of("calendar.read")) == 1  # other bytes, the same locks
    followed.says = ics(event(followed.now() + timedelta(days=1), title="Longer", hours=9))
    again(followed, time_machine, minutes=20)
    second = events_of("calendar.read")[1]
    assert second.before["periods"][0].endswith("Freeze")
    assert second.after["periods"][0].endswith("Longer")
    assert len(json.dumps([second.before, second.after, second.snapshot])) < 2_000


def test_periods_that_come_within_reach_as_time_goes_on_are_no_change(followed, time_machine):
    followed.says = ics(event(followed.now(), RRULE="FREQ=WEEKLY"))
    again(followed, time_machine, minutes=20)
    count, known = AuditEvent.objects.count(), LockPeriod.objects.latest("starts_at").starts_at
    again(followed, time_machine, days=15)
    assert AuditEvent.objects.count() == count
    assert LockPeriod.objects.latest("starts_at").starts_at == known + timedelta(days=14)
    assert LockCalendar.objects.get().notes[0].startswith("Freeze: every ")


def test_the_same_bytes_are_not_worked_out_again_that_day(followed, time_machine, monkeypatch):
    asked = []
    real = calendars.read_calendar
    monkeypatch.setattr(calendars, "read_calendar", lambda *a, **k: asked.append(1) or real(*a, **k))
    again(followed, time_machine, minutes=20)
    assert asked == []
    assert LockCalendar.objects.get().read_at == followed.now()
    again(followed, time_machine, days=2)
    assert asked == [1]


def test_what_was_over_stays_as_it_held(followed, time_machine):
    before = LockPeriod.objects.get()
    time_machine.move_to(before.ends_at + timedelta(hours=1), tick=False)
    followed.says = ics(event(followed.now() + timedelta(days=3), title="Next"))
    reading.read_due()
    assert [one.title for one in LockPeriod.objects.all()] == ["Freeze", "Next"]
    time_machine.move_to(before.ends_at + timedelta(days=730, hours=1), tick=False)
    tasks.keep()
    assert [one.title for one in LockPeriod.objects.all()] == ["Next"]


def test_a_calendar_that_breaks_keeps_what_was_known_and_says_why(followed, time_machine):
    followed.says = followed.says.replace(b"END:VEVENT", b"RRULE:FREQ=SOMETIMES\r\nEND:VEVENT")
    again(followed, time_machine, minutes=20)
    calendar = LockCalendar.objects.get()
    assert "line 11 can't be read: RRULE is «FREQ=SOMETIMES»" in calendar.words
    assert calendar.periods.count() == 1
    assert calendar.words in signed_in(followed, "vic").get("/locks/").content.decode().replace("&#x27;", "'")


def test_who_may_not_import_costs_no_work(world, monkeypatch):
    monkeypatch.setattr(calendars, "read_calendar", lambda *a, **k: pytest.fail("the file was read"))
    assert refused(calendars.import_calendar, "x", b"", by=world.actor("mia")).codes == {"role"}
    file = io.BytesIO(ics())
    file.name = "x.ics"
    assert signed_in(world, "vic").post("/locks/calendars/", {"name": "x", "file": file}).status_code == 403


def test_the_page_imports_says_what_repeats_and_takes_the_choice(world):
    root = signed_in(world, "root")
    for chosen in ({}, {"transparent": "1"}):
        file = io.BytesIO(
            ics(event(world.now(), RRULE="FREQ=DAILY"), event(world.now(), TRANSP="TRANSPARENT", title="Free"))
        )
        file.name = "x.ics"
        assert root.post("/locks/calendars/", {"name": "x", "file": file, **chosen}).status_code == 303
        assert LockPeriod.objects.filter(title="Free").exists() is bool(chosen)
        page = signed_in(world, "vic").get("/locks/").content.decode()
        assert "Freeze: every day, without end." in page
        assert ("1 event blocks no time" in page) is not bool(chosen)
    assert LockCalendar.objects.get().content.startswith("BEGIN:VCALENDAR")


@pytest.mark.parametrize(
    "url",
    ["http://calendar.example.com/a.ics", "https://u:p@calendar.example.com/a.ics", "ftp://calendar.example.com/"],
)
def test_an_address_from_before_is_judged_by_the_rule_of_now(world, settings, url):
    settings.LOCK_CALENDAR_HOSTS = ["calendar.example.com"]
    with pytest.raises(reading.CalendarUnreadable, match="Its address is not one"):
        reading.fetch(url)


def looks(world):
    """How a look at the present locks costs: queries, and rows that were made into objects."""
    with CaptureQueriesContext(
        connection,
    ) as asked:
        found = locks.standing(world.now()), locks.coming(world.now())
        page = signed_in(world, "mia").get("/locks/")
    assert page.status_code == 200
    return found, len(asked)


def test_locks_that_are_over_cost_nothing(world, monkeypatch):
    once(world)
    calendar = calendars.import_calendar("c", ics(event(world.now())), by=world.actor("root"))
    made = []
    real = {model: model.__init__ for model in (ChangeLock, LockPeriod)}
    for model in real:
        monkeypatch.setattr(
            model, "__init__", lambda self, *a, **k: (made.append(1), real[type(self)](self, *a, **k))[1]
        )
    first, queries = looks(world)
    count, now = len(made), world.now()
    with recorded("past", by=world.actor("root")):
        ChangeLock.objects.bulk_create(
            ChangeLock(
                title="past", kind="once", starts_at=now - timedelta(days=n + 1), ends_at=now - timedelta(days=n),
                created_by="mia", created_at=now,
            )
            for n in range(10, 310)
        )  # fmt: skip
        ChangeLock.objects.bulk_create(
            ChangeLock(
                title="weekly once", kind="weekly", from_day=1, from_time="09:00", to_day=2, to_time="09:00",
                created_by="mia", created_at=now, ended_at=now - timedelta(days=120), ended_by="mia",
            )
            for _ in range(50)
        )  # fmt: skip
    LockPeriod.objects.bulk_create(
        LockPeriod(calendar=calendar, starts_at=now - timedelta(days=n + 1), ends_at=now - timedelta(days=n))
        for n in range(10, 310)
    )
    made.clear()
    assert looks(world) == (first, queries)
    assert len(made) == count
    assert len(schedules.locks_between(now, now + timedelta(days=5))) == 2


@pytest.mark.parametrize("model", [ChangeLock, LockPeriod])
def test_locks_are_found_by_index(world, model):
    now = world.now()
    asked = ChangeLock.objects.touching(now, now) if model is ChangeLock else LockPeriod.objects.filter(ends_at__gt=now)
    if connection.vendor == "sqlite":
        assert "SCAN rollouts" not in asked.explain()
