"""Calendars of strangers: what they lock, and what is refused in words, whatever stands in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
import recurring_ical_events
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from rollouts.rules.calendars import LARGEST, MOST_DATES, MOST_EVENTS, CalendarRefused, read_calendar

from rollouts.rules.zones import from_utc

SINCE, UNTIL = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
FREEZE = "SUMMARY:Freeze\nDTSTART;TZID=Europe/Berlin:20260102T120000\nDTEND;TZID=Europe/Berlin:20260105T090000\n"
OUTLOOK_ZONE = """BEGIN:VTIMEZONE
TZID:Our Own Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


def calendar(*events: str, beside: str = "") -> bytes:
    inside = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{beside}{inside}END:VCALENDAR\n".replace("\n", "\r\n").encode()


def read(*events: str, beside: str = "", since=SINCE, until=UNTIL, zone="Europe/Berlin"):
    return read_calendar(calendar(*events, beside=beside), since=since, until=until, default_zone=zone)


def told(*events: str, **named) -> list[str]:
    """The windows of January in words: local times of Berlin."""
    windows = read(*events, **{"until": datetime(2027, 2, 1, tzinfo=UTC), **named})
    return [
        f"{from_utc(window.starts_at, 'Europe/Berlin'):%d %H:%M} to {from_utc(window.ends_at, 'Europe/Berlin'):%d %H:%M}"
        for window in windows
    ]


def refusal(*events: str, **named) -> str:
    with pytest.raises(CalendarRefused) as refused:
        read(*events, **named)
    return str(refused.value)


def refusal_of(content: bytes) -> str:
    with pytest.raises(CalendarRefused) as refused:
        read_calendar(content, since=SINCE, until=UNTIL)
    return str(refused.value)


# What a calendar locks


def test_one_event_in_each_way_to_write_it():
    expected = ["04 12:00 to 04 14:00"]
    assert told("DTSTART;TZID=Europe/Berlin:20270104T120000\nDTEND;TZID=Europe/Berlin:20270104T140000") == expected
    assert told("DTSTART:20270104T110000Z\nDTEND:20270104T130000Z") == expected
    assert told("DTSTART:20270104T120000\nDURATION:PT2H") == expected
    assert told("dtstart;tzid=America/New_York:20270104T060000\ndtend;tzid=Asia/Tokyo:20270104T220000") == expected


def test_whole_days_are_those_of_the_default_zone():
    assert told("DTSTART;VALUE=DATE:20270104\nDTEND;VALUE=DATE:20270106") == ["04 00:00 to 06 00:00"]
    assert told("DTSTART;VALUE=DATE:20270104") == ["04 00:00 to 05 00:00"]
    assert told("DTSTART:20270104\nDTEND:20270104") == ["04 00:00 to 05 00:00"]
    assert told("DTSTART:20270104\nDURATION:P2D") == ["04 00:00 to 06 00:00"]
    (window,) = read("DTSTART:20270328\nSUMMARY:The day of 23 hours")
    assert window.ends_at - window.starts_at == timedelta(hours=23)


def test_a_weekly_freeze_keeps_its_local_edges_when_clocks_change():
    windows = read(FREEZE + "RRULE:FREQ=WEEKLY;BYDAY=FR;UNTIL=20280601")
    assert len(windows) == 53
    local = {
        (
            f"{from_utc(window.starts_at, 'Europe/Berlin'):%a %H:%M}",
            f"{from_utc(window.ends_at, 'Europe/Berlin'):%a %H:%M}",
        )
        for window in windows
    }
    assert local == {("Fri 12:00", "Mon 09:00")}
    assert {window.ends_at - window.starts_at for window in windows} == {
        timedelta(hours=hours) for hours in (68, 69, 70)
    }


def test_what_touches_the_span_is_whole():
    early = "DTSTART:20260101T000000Z\nDTEND:20280601T000000Z"
    (window,) = read(early)
    assert (window.starts_at.year, window.ends_at.year) == (2026, 2028)
    assert read("DTSTART:20261231T000000Z\nDTEND:20270101T000000Z") == ()
    assert read("DTSTART:20280101T000000Z\nDTEND:20280102T000000Z") == ()
    assert read(early, since=UNTIL, until=SINCE) == ()


def test_exceptions_additions_and_changes():
    daily = (
        "UID:1\nSUMMARY:Daily\nDTSTART;TZID=Europe/Berlin:20270104T120000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4\n"
    )
    assert told(daily + "EXDATE;TZID=Europe/Berlin:20270105T120000\nEXDATE:20270106T110000Z") == [
        "04 12:00 to 04 13:00",
        "07 12:00 to 07 13:00",
    ]
    assert told(daily + "EXDATE;VALUE=DATE:20270104,20270105,20270106") == ["07 12:00 to 07 13:00"]
    assert told(
        daily + "RDATE:20270120T110000Z\nRDATE;VALUE=PERIOD:20270121T110000Z/PT3H,20270122T110000Z/20270123T110000Z"
    )[4:] == ["20 12:00 to 20 13:00", "21 12:00 to 21 15:00", "22 12:00 to 23 12:00"]
    moved = "UID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20270105T120000\nDTSTART:20270110T080000Z\nDURATION:PT5H"
    assert told(daily, moved)[-1] == "10 09:00 to 10 14:00"
    assert len(told(daily, moved)) == 4
    cancelled = "UID:1\nRECURRENCE-ID:20270105T110000Z\nSTATUS:CANCELLED"
    assert told(daily, cancelled) == ["04 12:00 to 04 13:00", "06 12:00 to 06 13:00", "07 12:00 to 07 13:00"]
    from_then = "UID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE:20270106T110000Z\nDTSTART:20270106T140000Z\nDURATION:PT2H"
    assert told(daily, from_then) == [
        "04 12:00 to 04 13:00",
        "05 12:00 to 05 13:00",
        "06 15:00 to 06 17:00",
        "07 15:00 to 07 17:00",
    ]


def test_a_whole_day_is_excepted_by_its_date():
    days = "UID:1\nDTSTART;VALUE=DATE:20270104\nRRULE:FREQ=DAILY;UNTIL=20270107\nEXDATE;VALUE=DATE:20270105"
    assert told(days, "UID:1\nRECURRENCE-ID;VALUE=DATE:20270106\nSTATUS:CANCELLED\nDTSTART:20270106") == [
        "04 00:00 to 05 00:00",
        "07 00:00 to 08 00:00",
    ]


@pytest.mark.parametrize("last", ["20270106", "20270106T120000", "20270106T110000Z"])
def test_the_last_occurrence_is_in(last):
    assert len(told(f"DTSTART:20270104T120000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL={last}")) == 3


def test_the_first_days_of_january_may_be_in_the_last_week_of_the_year_before():
    noon = "DTSTART:20260101T120000\nDURATION:PT1H\nRRULE:FREQ=YEARLY;UNTIL=20280601;"
    assert told(noon + "BYWEEKNO=53") == ["01 12:00 to 01 13:00", "02 12:00 to 02 13:00", "03 12:00 to 03 13:00"]
    assert told(noon + "WKST=SU;BYWEEKNO=52") == ["01 12:00 to 01 13:00", "02 12:00 to 02 13:00"]
    assert told(noon + "WKST=SU;BYWEEKNO=53") == []


def test_a_long_period_that_began_long_ago_is_found():
    assert (
        len(read("DTSTART:20200101T120000Z\nDURATION:PT1H\nRDATE;VALUE=PERIOD:20210101T000000Z/20270102T000000Z")) == 1
    )


def test_cancelled_events_and_those_without_a_length_lock_nothing():
    assert told("DTSTART:20270104T120000\nDURATION:PT1H\nSTATUS:CANCELLED") == []
    assert told("DTSTART:20270104T120000") == told("DTSTART:20270104T120000\nDURATION:PT0S") == []
    assert told("DTSTART:20270104T120000\nDURATION:PT1H\nTRANSP:TRANSPARENT") == ["04 12:00 to 04 13:00"]
    hidden = "BEGIN:VTODO\nDTSTART:20270104T120000\nDUE:20270105T120000\nEND:VTODO\n"
    assert told("DTSTART:20270104T120000\nDURATION:PT1H\nBEGIN:VALARM\nDURATION:PT9H\nEND:VALARM", beside=hidden) == [
        "04 12:00 to 04 13:00"
    ]


def test_a_later_version_of_an_event_counts_and_two_events_of_one_name_both_do():
    event = "UID:1\nSEQUENCE:{}\nDTSTART:202701{}T120000\nDURATION:PT1H"
    assert told(event.format(1, "04"), event.format(2, "05")) == ["05 12:00 to 05 13:00"]
    assert told(event.format(1, "04"), event.format(1, "05")) == ["04 12:00 to 04 13:00", "05 12:00 to 05 13:00"]


def test_the_same_window_twice_is_one():
    assert len(read(FREEZE + "RDATE:20270104T110000Z", FREEZE + "RDATE:20270104T110000Z")) == 1


def test_an_exception_takes_its_own_time_and_no_other():
    """The library, given local times, would take 12:00 away as well: in UTC, 13:00 in Berlin is 12:00."""
    twice = "DTSTART;TZID=Europe/Berlin:20270104T120000\nDURATION:PT30M\nRRULE:FREQ=DAILY;BYHOUR=12,13;COUNT=2\n"
    assert told(twice + "EXDATE;TZID=Europe/Berlin:20270104T130000") == ["04 12:00 to 04 12:30"]


def test_titles_are_one_clean_line():
    (window,) = read("DTSTART:20270104\nSUMMARY;LANGUAGE=en:Year's\\n  end\\, \x00\x1b[1m\u202efreeze\\; " + "ä" * 500)
    assert window.title.startswith("Year's end, [1m freeze; ä")
    assert len(window.title) == 200


def test_long_lines_are_unfolded_and_a_byte_order_mark_is_passed_over():
    folded = calendar("DTSTART:2027\n 0104T12\n\t0000\nDURATION:PT1H\nSUMMARY:Fre\n eze")
    (window,) = read_calendar(b"\xef\xbb\xbf" + folded, since=SINCE, until=UNTIL)
    assert (window.title, window.starts_at.hour) == ("Freeze", 12)


def test_a_zone_that_the_file_defines_is_as_good_as_one_with_a_name():
    ours = FREEZE.replace("Europe/Berlin", "Our Own Time") + "RRULE:FREQ=WEEKLY;UNTIL=20280601"
    assert read(ours, beside=OUTLOOK_ZONE) == read(FREEZE + "RRULE:FREQ=WEEKLY;UNTIL=20280601")
    each_hour = [datetime(2027, 10, 30) + timedelta(hours=hour) for hour in range(60)]
    events = [f"DTSTART;TZID=Our Own Time:{one:%Y%m%dT%H%M%S}\nDURATION:PT1H" for one in each_hour]
    named = [event.replace("Our Own Time", "Europe/Berlin") for event in events]
    assert read(*events, beside=OUTLOOK_ZONE) == read(*named)


def test_two_files_may_define_the_same_name_differently():
    event = "DTSTART;TZID=Our Own Time:20270104T120000\nDURATION:PT1H"
    (one,) = read(event, beside=OUTLOOK_ZONE)
    (other,) = read(event, beside=OUTLOOK_ZONE.replace("TO:+0100", "TO:+0500"))
    assert one.starts_at - other.starts_at == timedelta(hours=4)


# What is refused, in words


def test_what_is_no_calendar():
    for content in (b"<html>Sign in</html>", b"PK\x03\x04", b"x", b"BEGIN:VCARD\nEND:VCARD", b"\0" * 1000):
        assert refusal_of(content).startswith("this is not an iCalendar file: no BEGIN:VCALENDAR.")
    assert refusal_of(b"") == refusal_of(b"\n \n") == "the calendar is empty. Export it as .ics."
    assert refusal_of(b"BEGIN:VCALENDAR\n\xff") == "the calendar's line 2 is not UTF-8 text. Export it as UTF-8."
    assert "breaks off inside VEVENT" in refusal_of(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x")
    assert "END:VCALENDAR ends another part" in refusal_of(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR")
    assert "line «DTSTART» cannot be read" in refusal("DTSTART")
    assert "counts by «JULIAN»" in refusal(beside="CALSCALE:JULIAN\n")


def test_what_is_too_much():
    assert refusal_of(b"x" * 10 * LARGEST).startswith("the calendar is larger than 1 MB.")
    assert "more than 2,000 events" in refusal(*["DTSTART:20270101"] * (MOST_EVENTS + 1))
    assert "parts lie 10 deep" in refusal_of(b"BEGIN:VCALENDAR\n" + b"BEGIN:X\n" * 60_000)
    dates = ",".join(["20270101"] * (MOST_DATES + 1))
    assert "has 10,001 single dates" in refusal(f"{FREEZE}EXDATE;VALUE=DATE:{dates}")
    daily = "SUMMARY:Night {}\nDTSTART:20270101T000000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=1000"
    assert refusal(*(daily.format(number) for number in range(7))) == (
        "«Night 5»: with it the calendar has more than 2,000 occurrences from 2027-01-01 to 2028-01-01. "
        "Let it repeat less often, or export fewer events."
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("FREQ=SECONDLY", "«Freeze» repeats every second (FREQ=SECONDLY). Let it repeat daily, weekly"),
        ("FREQ=MINUTELY;COUNT=3", "repeats every minute"),
        ("INTERVAL=2;FREQ=HOURLY", "repeats every hour"),
        ("FREQ=DAILY;BYHOUR=1,2;BYMINUTE=1,2,3,4;BYSECOND=1,2", "repeats more than 12 times a day"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0 must be from 1"),
        ("FREQ=DAILY;COUNT=0", "COUNT=0 must be from 1"),
        ("FREQ=DAILY;COUNT=-1", "COUNT=-1 must be from 1"),
        ("FREQ=DAILY;BYSETPOS=0", "BYSETPOS=0 must be"),
        ("FREQ=DAILY;BYMONTH=13", "BYMONTH=13 must be from 1 to 12"),
        ("FREQ=DAILY;BYMONTH=1,x", "one of its numbers is none"),
        ("FREQ=DAILY;BYMONTH=" + ",".join("1" * 100_000), "must be from 1 to 12"),
        ("FREQ=DAILY;COUNT=" + "9" * 100_000, "must be from 1"),
        ("FREQ=DAILY;BYEASTER=1", "BYEASTER is not known"),
        ("FREQ=DAILY;FREQ=DAILY", "there twice"),
        ("FREQ=SOMETIMES", "FREQ=SOMETIMES is not DAILY"),
        ("", "is no part of it"),
        ("FREQ=WEEKLY;BYDAY=1MO", "FREQ=WEEKLY has none"),
        ("FREQ=WEEKLY;BYDAY=XX", "not days of the week"),
        ("FREQ=WEEKLY;WKST=8", "WKST=8 is not a day"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL is «20270230», which is no date"),
    ],
)
def test_a_rule_that_is_not_followed(rule, said):
    assert said in refusal(f"{FREEZE}RRULE:{rule}")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY",
        "FREQ=DAILY;UNTIL=99991231T000000Z",
        "FREQ=DAILY;COUNT=99999999",
        "FREQ=WEEKLY;BYDAY=FR",
        "FREQ=MONTHLY;BYDAY=1MO",
        "FREQ=YEARLY;INTERVAL=50",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    ],
)
def test_a_repetition_without_end_is_refused(rule):
    event = "SUMMARY:Hush\nDTSTART:20260101T000000Z\nDURATION:PT1H\n"
    assert refusal(event + "EXDATE:20270101T000000Z\nRRULE:" + rule) == (
        "«Hush» repeats without end. Give it an UNTIL or a COUNT; what comes back every week for good is entered as "
        "a weekly lock."
    )
    ended = rule.replace("UNTIL=99991231T000000Z", "X").replace("COUNT=99999999", "X").replace(";X", "")
    read(event + f"RRULE:{ended};UNTIL=20270301")
    assert read(event + "STATUS:CANCELLED\nRRULE:" + rule) == ()


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            "DTSTART:20270102\nDTEND:20270101",
            "«Freeze» ends before it starts: it starts on 2027-01-02 00:00:00, and ends on",
        ),
        ("DTSTART:20270102T100000\nDURATION:-PT1H", "«Freeze» ends before it starts"),
        ("DTSTART:20270102\nRDATE;VALUE=PERIOD:20270105T000000Z/-PT1H", "ends before it starts on 2027-01-05"),
        ("DTEND:20270102", "«Freeze» has no DTSTART"),
        ("DTSTART:20270102\nDTSTART:20270103", "has DTSTART more than once"),
        ("DTSTART:20270230", "DTSTART is «20270230», which is no date or time. Write it as"),
        ("DTSTART:P1D", "DTSTART is «P1D», which is no date"),
        ("DTSTART:20270101/20270102", "which is no date"),
        ("DTSTART:00000000", "which is no date"),
        ("DTSTART:20270102\nDTEND:99991231", "DTEND is in the year 9999. Years from 1900 to 2199 are read"),
        ("DTSTART:00010101T000000Z\nDTEND:20270101", "DTSTART is in the year 1."),
        ("DTSTART:20270102\nDURATION:P99999999999999999W", "which is no duration. Write it as PT4H"),
        ("DTSTART:20270102\nDURATION:P90000D", "DURATION is in the year 2273"),
        ("DTSTART:20270102\nDURATION:one day", "lasts «one day», which is no duration"),
        ("DTSTART;TZID=Mars/Olympus:20270102T000000", "in the time zone «Mars/Olympus», which nobody knows"),
        ("DTSTART;TZID=../../etc/passwd:20270102T000000", "which nobody knows"),
    ],
)
def test_an_event_that_cannot_be_is_named(event, said):
    assert said in refusal("SUMMARY:Freeze\n" + event)
    assert "event 1 of the calendar" in refusal(event)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("TO:+0100", "TO:+9900"),
        ("TO:+0100", "TO:summer"),
        ("DTSTART:1601", "DTSTART:x"),
        ("FREQ=YEARLY", "FREQ=SECONDLY"),
        ("BEGIN:STANDARD", "BEGIN:STANDARD\nEND:STANDARD\nBEGIN:STANDARD"),
    ],
)
def test_a_broken_zone_is_refused_where_it_is_used(right, wrong):
    zone = OUTLOOK_ZONE.replace(right, wrong)
    assert "time zone «Our Own Time»" in refusal("DTSTART;TZID=Our Own Time:20270102T000000", beside=zone)
    assert read(FREEZE, beside=zone) == ()


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;INTERVAL=7;BYDAY=SA",
        "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=20",
        "FREQ=DAILY;BYSETPOS=366",
        "FREQ=YEARLY;BYWEEKNO=53;BYYEARDAY=100",
        "FREQ=YEARLY;INTERVAL=10000",
    ],
)
def test_a_rule_that_never_comes_true_ends_nevertheless(rule):
    assert read(FREEZE + f"RRULE:{rule};UNTIL=21991231") == ()


def test_thousands_of_rules_that_never_come_true_are_too_much_work():
    for rule in ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-366"):
        hours = ";BYHOUR=1,2,3,4,5,6,7,8,9,10,11,12"
        assert "too much work" in refusal(*[FREEZE + f"RRULE:{rule}{hours};UNTIL=21991231"] * MOST_EVENTS)
    assert "more than 5 rules" in refusal(FREEZE + "RRULE:FREQ=DAILY\n" * 30_000)


def test_the_callers_mistakes_are_the_callers():
    with pytest.raises(ValueError, match="need a zone"):
        read(since=datetime(2027, 1, 1))
    with pytest.raises(ValueError, match="is not the name of a time zone") as refused:
        read(zone="Mars")
    assert not isinstance(refused.value, CalendarRefused)


# Against the library, and against everybody

NUMBERS = {
    "BYMONTH": range(1, 13),
    "BYMONTHDAY": [*range(1, 32), *range(-31, 0)],
    "BYYEARDAY": [1, 59, 60, 200, 366, -1, -306, -366],
    # Not 52, 53 and -53: the library miscounts the weeks of the year before, whose last may end in January, and does
    # not see that the last days of a year may be in -53, as it does for 1.
    "BYWEEKNO": [1, 2, 20, -1],
    "BYHOUR": [0, 2, 9, 23],
}


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Rules that end, of the kind that the standard defines and that the library follows."""
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    allowed = {
        "DAILY": ["BYMONTH", "BYMONTHDAY", "BYHOUR"],
        "WEEKLY": ["BYMONTH", "BYHOUR"],
        "MONTHLY": ["BYMONTH", "BYMONTHDAY", "BYHOUR"],
        "YEARLY": list(NUMBERS),
    }[freq]
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 4))}", f"WKST={draw(st.sampled_from(['MO', 'SU', 'WE']))}"]
    for key in draw(st.lists(st.sampled_from(allowed), unique=True, max_size=2)):
        parts.append(
            f"{key}={','.join(map(str, draw(st.lists(st.sampled_from(NUMBERS[key]), min_size=1, max_size=4))))}"
        )
    if draw(st.booleans()):
        by_week = freq in ("DAILY", "WEEKLY") or any("BYWEEKNO" in part for part in parts)
        which = "" if by_week else draw(st.sampled_from(["", "1", "-1", "2", "5", "-5"]))
        days = draw(st.lists(st.sampled_from(["MO", "TU", "FR", "SU"]), min_size=1, max_size=3, unique=True))
        parts.append("BYDAY=" + ",".join(which + day for day in days))
        if freq in ("MONTHLY", "YEARLY"):
            parts.extend(draw(st.sampled_from([[], ["BYSETPOS=1"], ["BYSETPOS=-1"], ["BYSETPOS=2,-2"]])))
    parts.append(draw(st.sampled_from(["COUNT=7", "COUNT=100", "UNTIL=20280601T000000Z"])))
    return ";".join(parts)


@settings(max_examples=150)
@given(
    rule=rules(),
    day=st.dates(date(2024, 1, 1), date(2027, 6, 1)),
    clock=st.sampled_from([time(0), time(9, 30), time(23, 59)]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    hours=st.integers(1, 30),
)
@example("FREQ=YEARLY;INTERVAL=1;WKST=MO;BYWEEKNO=53,1;COUNT=100", date(2024, 12, 30), time(9, 30), "UTC", 5)
def test_rules_are_followed_as_the_library_follows_them(rule, day, clock, zone, hours):
    start = datetime.combine(day, clock)
    event = f"UID:1\nDTSTART;TZID={zone}:{start:%Y%m%dT%H%M%S}\nDTEND;TZID={zone}:{start + timedelta(hours=hours):%Y%m%dT%H%M%S}\nRRULE:{rule}"
    assume("UNTIL" in rule or _comes_often(rule, start))
    theirs = recurring_ical_events.of(Calendar.from_ical(calendar(event))).between(SINCE, UNTIL)

    # At night clocks change: there ours never shrinks a lock, and theirs may.
    ours = {window.starts_at for window in read(event)}
    assert by_day(ours, zone) == by_day({one["DTSTART"].dt.astimezone(UTC) for one in theirs}, zone)


def by_day(moments: set[datetime], zone: str) -> list[datetime]:
    return sorted(moment for moment in moments if not 1 <= from_utc(moment, zone).hour <= 3)


def _comes_often(rule: str, start: datetime) -> bool:
    """The library looks until the year 9999 for times that never come, and long for those that hardly do."""
    found = read(
        f"DTSTART:{start:%Y%m%dT%H%M%S}Z\nDURATION:PT1H\nRRULE:{rule}",
        since=datetime(1950, 1, 1, tzinfo=UTC),
        until=datetime(2150, 1, 1, tzinfo=UTC),
    )
    return len(found) >= (7 if "COUNT=7" in rule else 50)


LINES = [
    *calendar(FREEZE + "UID:1\nRRULE:FREQ=WEEKLY;BYDAY=FR;UNTIL=20280601\nEXDATE;TZID=Europe/Berlin:20270108T120000").decode().splitlines(),
    *calendar("DTSTART;TZID=Our Own Time:20270104T120000\nDURATION:P1D", beside=OUTLOOK_ZONE).decode().splitlines(),
    *"UID:1|RECURRENCE-ID;RANGE=THISANDFUTURE:20270115T110000Z|STATUS:CANCELLED|SEQUENCE:2|DTSTART:20270101|DTEND:20270102|RDATE;VALUE=PERIOD:20270101T000000Z/PT1H|RRULE:FREQ=YEARLY;BYDAY=-1SU;BYSETPOS=1|RRULE:FREQ=DAILY;UNTIL=20270101|DTSTART:99991231T235959Z|DTEND:99991231T235959|DURATION:-P9D|DTSTART:00010101|EXDATE:,|RDATE:/|BEGIN:VEVENT|END:VEVENT".split("|"),
]  # fmt: skip


def survives(content: bytes) -> None:
    try:
        windows = read_calendar(content, since=SINCE, until=UNTIL, default_zone="Europe/Berlin")
    except CalendarRefused as refused:
        assert str(refused).endswith(".")
        assert len(str(refused)) < 500
        assert str(refused).isprintable()
    else:
        assert list(windows) == sorted(windows)
        assert all(window.starts_at < UNTIL and window.ends_at > SINCE for window in windows)


@settings(max_examples=300)
@given(data=st.data())
def test_no_calendar_raises_anything_else(data):
    """Lines are left out, doubled, swapped, and characters changed, of calendars that were right."""
    lines = list(LINES[: data.draw(st.sampled_from([12, 31, len(LINES)]))])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["leave out", "add", "change", "change", "change"])):
            case "leave out":
                lines.pop(place)
            case "add":
                lines.insert(place, data.draw(st.sampled_from(LINES)))
            case _:
                line = lines[place]
                cut = data.draw(st.integers(0, len(line)))
                new = data.draw(st.one_of(st.text(max_size=4), st.text(alphabet='0123456789TZP-+/:;=,"\\', max_size=4)))
                lines[place] = line[:cut] + new + line[cut + data.draw(st.integers(0, 3)) :]
        assume(lines)
    survives("\r\n".join(lines).encode("utf-8", "surrogatepass"))


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(LINES), min_size=1, max_size=12).map("\n".join),
    st.sampled_from(["DTSTART:20270101\n", FREEZE, ""]),
)
def test_lines_in_any_order_inside_an_event(inside, before):
    survives(calendar(before + inside, beside=OUTLOOK_ZONE))


@given(st.binary(max_size=300))
def test_bytes_of_any_kind(content):
    survives(content)
    survives(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + content + b"\nEND:VEVENT\nEND:VCALENDAR")


@pytest.mark.parametrize("piece", ["a", ";", ";a=b", "\\", '"', "%41", " ;a", "^n", ",", "é", "\t", "\0", "\r"])
def test_a_line_as_long_as_the_file_may_be(piece):
    most = LARGEST * 9 // 10 // len(piece.encode())
    for line in (
        "DTSTART;X={}:20270101",
        "DTSTART:20270101\nSUMMARY:{}",
        "DTSTART:20270101\nRRULE:{}",
        "DTSTART;TZID={}:20270101T000000",
    ):
        survives(calendar(line.format(piece * most)))
