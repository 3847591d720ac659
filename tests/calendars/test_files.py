"""Calendars of strangers, each read by a child as the portal reads them: what they lock, and what is refused in words."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from rollouts.calendars import limits
from rollouts.calendars.reader import LARGEST, CalendarRefused, read_calendar
from rollouts.rules.zones import from_utc
from tests.drills.calendars import ask, question, spoilt

SINCE, UNTIL = datetime(2026, 11, 20, tzinfo=UTC), datetime(2028, 11, 28, tzinfo=UTC)
FREEZE = "SUMMARY:Freeze\nDTSTART;TZID=Europe/Berlin:20260102T120000\nDTEND;TZID=Europe/Berlin:20260105T080000\n"
DAY = "SUMMARY:Freeze\nDTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261227\n"
LOCAL = "SUMMARY:Freeze\nDTSTART;TZID={zone}:20261204T120000\nDTEND;TZID={zone}:20261204T180000\n"
TOKYO = """BEGIN:VTIMEZONE
TZID:Company/Tokyo
BEGIN:STANDARD
TZOFFSETFROM:+1000
TZOFFSETTO:+0900
DTSTART:19480912T010000
RRULE:FREQ=YEARLY;BYMONTH=9;BYDAY=2SU;UNTIL=19510908T150000Z
END:STANDARD
BEGIN:DAYLIGHT
TZOFFSETFROM:+0900
TZOFFSETTO:+1000
DTSTART:19500507T000000
RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=1SU;UNTIL=19510505T150000Z
END:DAYLIGHT
END:VTIMEZONE
"""


def calendar(*events: str, beside: str = "", after: str = "") -> bytes:
    inside = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{beside}{inside}END:VCALENDAR\n{after}".replace("\n", "\r\n").encode()


def read(content: bytes, zone="Europe/Berlin", since=SINCE, until=UNTIL, **more):
    return read_calendar(content, since=since, until=until, default_zone=zone, **more)


def told(content: bytes, zone="UTC", **more) -> list[str]:
    """Its periods in words, as clocks of a zone show them."""
    return [
        f"{from_utc(w.starts_at, zone):%d %b %H:%M} to {from_utc(w.ends_at, zone):%d %b %H:%M}"
        for w in read(content, **more).windows
    ]


def refusal(content: bytes, **more) -> str:
    with pytest.raises(CalendarRefused) as refused:
        read(content, **more)
    return str(refused.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (calendar(DAY + "RRULE:"), ["25 Dec 00:00 to 27 Dec 00:00"]),
        (calendar(DAY + "EXDATE;VALUE=DATE:\nRDATE:"), ["25 Dec 00:00 to 27 Dec 00:00"]),
        (calendar(DAY, after="X-COMMENT:made by a feed\nX-MORE:y\n"), ["25 Dec 00:00 to 27 Dec 00:00"]),
        (calendar(DAY.replace("27", "25")), ["25 Dec 00:00 to 26 Dec 00:00"]),
    ],
    ids=["empty rule", "empty dates", "what follows", "a day that ends on its day"],
)
def test_what_sloppy_programs_write_is_read(content, expected):
    assert told(content, "Europe/Berlin") == expected


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("W. Europe Standard Time", "11:00"),
        ('"(UTC-05:00) Eastern Time (US & Canada)"', "17:00"),
        ('"(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna"', "11:00"),
        ('"(GMT+05:30) Chennai, Kolkata, Mumbai, New Delhi"', "06:30"),
        ('"(UTC) Coordinated Universal Time"', "12:00"),
        ('"(UTC+00:00) Dublin, Edinburgh, Lisbon, London"', "12:00"),
        ('"(UTC+09:00) Osaka, Sapporo, Tokyo"', "03:00"),
        ('"(UTC-08:00) Pacific Time (US & Canada)"', "20:00"),
        ("/mozilla.org/20070129_1/America/New_York", "17:00"),
        ("vendor.example/America/New_York", "17:00"),
        ("/softwarestudio.org/Tzfile/America/Argentina/Buenos_Aires", "15:00"),
    ],
)
def test_zones_have_many_names(zone, expected):
    (period,) = read(calendar(LOCAL.format(zone=zone))).windows
    assert f"{period.starts_at:%H:%M}" == expected


def test_a_zone_may_have_changed_its_clocks_last_before_1970():
    assert told(calendar(LOCAL.format(zone="Company/Tokyo"), beside=TOKYO)) == ["04 Dec 03:00 to 04 Dec 09:00"]


@pytest.mark.parametrize("zone", ["Mars/Olympus", '"(UTC-03:00) Berlin"', "../../etc/passwd", "Europe", "posixrules"])
def test_a_zone_that_nobody_knows_is_named_and_never_guessed(zone):
    words = refusal(calendar(LOCAL.format(zone=zone)))
    assert "«Freeze» in line 3 is in the time zone" in words
    assert "Choose a zone such as Europe/Berlin" in words


def test_the_files_own_zone_counts_before_the_calendars():
    floating = "DTSTART:20261204T120000\nDTEND:20261204T180000"
    assert told(calendar(floating, beside="X-WR-TIMEZONE:America/New_York\n")) == ["04 Dec 17:00 to 04 Dec 23:00"]
    assert told(calendar(floating, beside="X-WR-TIMEZONE:Eastern Standard Time\n")) == ["04 Dec 17:00 to 04 Dec 23:00"]
    assert told(calendar(DAY, beside="X-WR-TIMEZONE:America/New_York\n")) == ["25 Dec 05:00 to 27 Dec 05:00"]
    assert told(calendar(floating)) == ["04 Dec 11:00 to 04 Dec 17:00"]
    assert "the calendar is in the time zone «Mars»" in refusal(calendar(floating, beside="X-WR-TIMEZONE:Mars\n"))


def test_what_repeats_without_end_is_read_for_two_years_and_said():
    reading = read(calendar(FREEZE + "RRULE:FREQ=WEEKLY;BYDAY=FR"))
    local = {
        tuple(f"{from_utc(at, 'Europe/Berlin'):%a %H:%M}" for at in (w.starts_at, w.ends_at)) for w in reading.windows
    }
    assert local == {("Fri 12:00", "Mon 08:00")}
    assert len(reading.windows) == 106
    assert reading.notes == ("Freeze: every Friday, without end.",)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("FREQ=DAILY", "every day"),
        ("FREQ=DAILY;INTERVAL=3", "every 3 days"),
        ("FREQ=WEEKLY", "every Friday"),
        ("FREQ=WEEKLY;BYDAY=SU,SA", "every Saturday and Sunday"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", "every 2 weeks"),
        ("FREQ=MONTHLY;BYDAY=1MO", "every month"),
        ("FREQ=YEARLY", "every year"),
    ],
)
def test_how_often_is_said_in_words(rule, message):
    short = FREEZE.replace("0105T08", "0102T13")
    assert read(calendar(f"{short}RRULE:{rule}")).notes == (f"Freeze: {message}, without end.",)
    assert read(calendar(f"{short}RRULE:{rule};COUNT=900")).notes == ()
    assert read(calendar(f"{short}RRULE:{rule};UNTIL=20280101")).notes == ()


def test_an_exception_of_a_whole_day_may_be_given_as_a_time():
    """As Exchange writes it: a RECURRENCE-ID that is a time names the day."""
    series = "UID:a\nDTSTART;VALUE=DATE:20270225\nDTEND;VALUE=DATE:20270226\nRRULE:FREQ=WEEKLY;COUNT=3"
    moved = "UID:a\nRECURRENCE-ID;TZID=W. Europe Standard Time:20270225T000000\nDTSTART;VALUE=DATE:20270226\nDTEND;VALUE=DATE:20270227"
    assert [one[:6] for one in told(calendar(series, moved), "Europe/Berlin")] == ["26 Feb", "04 Mar", "11 Mar"]


def test_a_period_has_its_own_length_however_long_ago_it_began():
    event = "DTSTART:20261201T020000Z\nDTEND:20261201T030000Z\nRDATE;VALUE=PERIOD:"
    periods = "20261201T020000Z/20261201T040000Z,20261208T020000Z/PT3H"
    assert told(calendar(event + periods)) == ["01 Dec 02:00 to 01 Dec 04:00", "08 Dec 02:00 to 08 Dec 05:00"]
    long = event.replace("2026", "2019") + "20200101T000000Z/20270102T000000Z"
    assert told(calendar(long)) == ["01 Jan 00:00 to 02 Jan 00:00"]


@pytest.mark.parametrize("last", ["20270106", "20270106T120000", "20270106T110000Z"])
def test_the_last_occurrence_is_in(last):
    event = f"DTSTART;TZID=Europe/Berlin:20270104T120000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL={last}"
    assert len(told(calendar(event))) == 3


def test_an_exception_takes_its_own_time_and_no_other():
    """In UTC, 13:00 in Berlin is 12:00."""
    daily = "DTSTART;TZID=Europe/Berlin:20270104T120000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\n"
    assert len(told(calendar(daily + "EXDATE;TZID=Europe/Berlin:20270105T130000"))) == 3
    assert len(told(calendar(daily + "EXDATE;TZID=Europe/Berlin:20270105T120000"))) == 2
    assert len(told(calendar(daily + "EXDATE:20270105T110000Z,20270106T110000Z"))) == 1
    assert len(told(calendar(daily + "EXDATE;VALUE=DATE:20270105"))) == 2


def test_a_later_version_of_an_event_counts_and_two_events_of_one_name_both_do():
    event = "UID:1\nSEQUENCE:{}\nDTSTART:202701{}T120000Z\nDURATION:PT1H"
    assert told(calendar(event.format(1, "04"), event.format(2, "05"))) == ["05 Jan 12:00 to 05 Jan 13:00"]
    assert len(told(calendar(event.format(1, "04"), event.format(1, "05")))) == 2


def test_changed_moved_cancelled_and_following_occurrences():
    daily = "UID:1\nDTSTART:20270104T110000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4"
    moved = "UID:1\nRECURRENCE-ID:20270105T110000Z\nDTSTART:20270110T080000Z\nDURATION:PT5H"
    assert told(calendar(daily, moved))[-1] == "10 Jan 08:00 to 10 Jan 13:00"
    assert len(told(calendar(daily, "UID:1\nRECURRENCE-ID:20270105T110000Z\nSTATUS:CANCELLED"))) == 3
    future = "UID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE:20270106T110000Z\nDTSTART:20270106T140000Z\nDURATION:PT2H"
    assert told(calendar(daily, future))[2:] == ["06 Jan 14:00 to 06 Jan 16:00", "07 Jan 14:00 to 07 Jan 16:00"]


def test_what_blocks_no_time_locks_by_choice_and_is_said():
    free = calendar(DAY + "TRANSP:TRANSPARENT", DAY.replace("25", "28").replace("27", "29"))
    reading = read(free)
    assert len(reading.windows) == 1
    assert reading.notes == ("1 event blocks no time (TRANSP:TRANSPARENT) and does not lock.",)
    assert len(read(free, transparent_locks=True).windows) == 2


def test_cancelled_events_and_those_without_a_length_lock_nothing():
    assert told(calendar(DAY + "STATUS:CANCELLED")) == []
    assert told(calendar("DTSTART:20270104T120000")) == []
    hidden = "BEGIN:VTODO\nDTSTART:20270104T120000\nDUE:20270105T120000\nEND:VTODO\n"
    alarm = "BEGIN:VALARM\nDURATION:PT9H\nTRIGGER:nonsense\nEND:VALARM"
    assert len(told(calendar(DAY + alarm, beside=hidden))) == 1


def test_where_clocks_change_a_lock_never_shrinks():
    night = "DTSTART;TZID=Europe/Berlin:20270328T023000\nDTEND;TZID=Europe/Berlin:20270328T040000"
    assert told(calendar(night)) == ["28 Mar 01:00 to 28 Mar 02:00"]
    twice = "DTSTART;TZID=Europe/Berlin:20271031T023000\nDTEND;TZID=Europe/Berlin:20271031T024500"
    assert told(calendar(twice)) == ["31 Oct 00:30 to 31 Oct 01:45"]


def test_an_event_that_ends_before_it_starts_is_read_the_other_way_round_and_that_is_said():
    reading = read(calendar("SUMMARY:x\nDTSTART:20261204T120000Z\nDTEND:20261204T100000Z"))
    assert [f"{w.starts_at:%H}-{w.ends_at:%H}" for w in reading.windows] == ["10-12"]
    assert reading.notes == ("«x» in line 3 ends before it starts; it is read the other way round.",)


def test_titles_are_one_clean_line():
    (window,) = read(calendar(DAY.replace("Freeze", "Year's\\n  end\\, \x1b[1m\u202efreeze " + "ä" * 500))).windows
    assert window.title.startswith("Year's end, [1m freeze ä")
    assert len(window.title) == 200


def test_long_lines_are_unfolded_and_other_encodings_read():
    (window,) = read(b"\xef\xbb\xbf" + calendar(DAY.replace("20261225", "2026\n 12\n\t25"))).windows
    assert window.starts_at == datetime(2026, 12, 24, 23, tzinfo=UTC)
    assert len(read(calendar(DAY).replace(b"Freeze", b"K\xfcche")).windows) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>Sign in</html>", "this is not an iCalendar file: no BEGIN:VCALENDAR."),
        (b"BEGIN:VCARD\nEND:VCARD", "this is not an iCalendar file"),
        (b"\0" * 1000, "this is not an iCalendar file"),
        (b"\n \n", "the calendar is empty."),
        (b"x" * (LARGEST + 1), "larger than 1 MB"),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x", "breaks off inside VEVENT, which begins in line 2"),
        (b"BEGIN:VCALENDAR\n" + b"BEGIN:X\n" * 60_000, "parts lie 10 deep"),
        (calendar(DAY, beside="CALSCALE:JULIAN\n"), "counts by «JULIAN»"),
        (calendar(DAY + "DTSTART:20261225"), "has DTSTART more than once"),
        (calendar("SUMMARY:Freeze\nDTEND:20270102"), "«Freeze» in line 3 has no DTSTART"),
        (calendar("DTEND:20270102"), "the event in line 3 has no DTSTART"),
        (calendar("DTSTART:20270230"), "line 4 can't be read: DTSTART is «20270230»"),
        (calendar("DTSTART:20270101\nDTSTART"), "line 5 can't be read"),
        (calendar(DAY + "RRULE:FREQ=SOMETIMES"), "line 7 can't be read: RRULE is «FREQ=SOMETIMES»"),
        (calendar(DAY + "RRULE:BYDAY=FR"), "«Freeze» in line 3 can't be worked out"),
        (calendar("DTSTART:20270102\nDURATION:one day"), "DURATION is «one day»"),
        (calendar(DAY + "EXDATE:soon"), "EXDATE is «soon»"),
        (calendar(DAY, beside=TOKYO.replace("+0900", "summer")), "line"),
        (calendar("DTSTART:20261201T000000Z\nDURATION:PT1S\nRRULE:FREQ=HOURLY"), "more than 5,000 periods from"),
    ],
)
def test_what_can_not_be_read_is_refused_with_its_place(content, words):
    message = refusal(content)
    assert words in message
    assert message.endswith(".")
    assert len(message) < 500


@pytest.mark.parametrize(
    "rule",
    ["FREQ=SECONDLY", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"],
)
def test_a_hostile_rule_costs_the_seconds_that_there_are_and_is_named(rule):
    before = os.times()
    words = refusal(calendar(f"SUMMARY:Hush\nDTSTART:20261101T000000Z\nDURATION:PT1S\nRRULE:{rule}"))
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert "«Hush» in line 3 takes too long" in words
    assert spent < limits.CPU_SECONDS + limits.GRACE + 1


def test_what_does_not_come_true_often_is_read():
    assert read(calendar(FREEZE + "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")).windows == ()
    assert len(read(calendar("DTSTART:19000101T000000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY")).windows) == 739


def confined(code: str) -> subprocess.CompletedProcess:
    """Python under the child's limits."""
    begin = "import socket, subprocess, os, ctypes\nfrom rollouts.calendars import limits\nlimits.confine()\n"
    return subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.getaddrinfo('localhost', 80)",
        "subprocess.run(['true'])",
        "os.system('true')",
        "os.fork()",
        "open('/tmp/x-calendar', 'w')",
        "os.open('/tmp/x-calendar', os.O_CREAT | os.O_WRONLY)",
        "os.remove('/tmp/x-calendar')",
        "ctypes.CDLL(None)",
    ],
)
def test_the_child_has_no_network_no_programs_and_no_files(code):
    tried = confined(code)
    assert tried.returncode == 1
    assert "Shut: a calendar is read without" in tried.stderr


def test_the_child_has_so_much_memory_and_output_and_no_more():
    assert "MemoryError" in confined("bytearray(10 ** 9)").stderr
    too_much = "f = os.memfd_create('x')\nos.write(f, b'x' * 10 ** 7)\nos.write(f, b'x')"
    assert "File too large" in confined(too_much).stderr


def test_the_child_knows_no_secret_of_the_portal(monkeypatch):
    from rollouts.calendars import reader

    monkeypatch.setenv("GITLAB_TOKEN", "glpat-canary")
    seen = {}
    real = subprocess.Popen

    def spied(*arguments, **how):
        seen.update(how["env"])
        return real(*arguments, **how)

    monkeypatch.setattr(reader.subprocess, "Popen", spied)
    assert read(calendar(DAY)).windows
    assert "canary" not in str(seen)
    assert set(seen) <= set(reader.KEPT)


def test_no_other_process_loads_what_reads_calendars():
    code = "import django, os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\ndjango.setup()\nimport config.urls, config.celery, rollouts.tasks\nprint([m for m in ('icalendar', 'recurring_ical_events', 'dateutil') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "icalendar" not in loaded.stdout.splitlines()[-1]
    assert "recurring_ical_events" not in loaded.stdout.splitlines()[-1]


def test_the_callers_mistakes_are_the_callers():
    with pytest.raises(ValueError, match="need a zone"):
        read(calendar(DAY), since=datetime(2027, 1, 1))
    with pytest.raises(ValueError, match="is not the name of a time zone") as refused:
        read(calendar(DAY), zone="Mars")
    assert not isinstance(refused.value, CalendarRefused)


def test_spoilt_files_are_read_or_refused_and_nothing_else():
    """A few of what `make drills` does to many: each in a fork with the child's limits."""
    weekly = FREEZE + "UID:1\nRRULE:FREQ=WEEKLY;BYDAY=FR\nEXDATE;TZID=Europe/Berlin:20261204T120000"
    right = {
        "weekly": calendar(weekly, "UID:1\nRECURRENCE-ID:20261211T110000Z\n" + DAY),
        "zone": calendar(LOCAL.format(zone="Company/Tokyo"), beside=TOKYO),
        "periods": calendar("DTSTART:20261201T020000Z\nRDATE;VALUE=PERIOD:20261201T020000Z/PT3H", DAY),
    }
    dice = random.Random(1)
    questions = [question(str(n), spoilt(right, dice), "portal") for n in range(150)]
    outcomes = Counter(next(k for k in ("periods", "refused", "raised", "killed") if k in a) for a in ask(questions))
    assert set(outcomes) == {"periods", "refused"}


RIGHT = {
    "empty-rrule": ["2026-12-24 23:00 to 2026-12-26 23:00"],
    "empty-exdate": ["2026-12-24 23:00 to 2026-12-26 23:00"],
    "trailing-line": ["2026-12-01 12:00 to 2026-12-01 18:00"],
    "windows-zone": ["2026-12-04 11:00 to 2026-12-04 17:00"],
    "windows-zone-display": ["2026-12-04 17:00 to 2026-12-04 23:00"],
    "prefixed-zone": ["2026-12-04 17:00 to 2026-12-04 23:00"],
    "exchange-moved-day": [
        "2026-02-26 23:00 to 2026-02-27 23:00", "2026-03-04 23:00 to 2026-03-05 23:00",
        "2026-03-11 23:00 to 2026-03-12 23:00",
    ],
    "rdate-period": ["2026-12-01 02:00 to 2026-12-01 04:00", "2026-12-08 02:00 to 2026-12-08 05:00"],
    "zone-last-changed-before-1970": ["2026-12-04 03:00 to 2026-12-04 04:00"],
}  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize("name", RIGHT)
def test_cases_that_failed_once_have_their_right_value(shared, name):
    content = (shared / "cases" / "calendars" / f"{name}.ics").read_bytes()
    windows = read(content, since=datetime(2026, 1, 1, tzinfo=UTC)).windows
    assert [f"{w.starts_at:%Y-%m-%d %H:%M} to {w.ends_at:%Y-%m-%d %H:%M}" for w in windows] == RIGHT[name]


@pytest.mark.shared
def test_the_endless_case(shared):
    reading = read((shared / "cases" / "calendars" / "endless-weekly.ics").read_bytes())
    assert reading.windows[-1].starts_at > UNTIL - timedelta(days=8)
    assert reading.notes == ("Freeze: every Friday, without end.",)
