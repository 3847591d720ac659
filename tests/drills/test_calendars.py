"""Drills of calendars: strangers' files as the libraries' own tests have them, and files that were spoilt on purpose."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tarfile
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from rollouts.calendars.limits import CPU_SECONDS, GRACE, MEMORY

pytestmark = [pytest.mark.drill, pytest.mark.timeout(3600)]
#: The versions that the portal is pinned to; their source packages carry their test calendars.
PINNED = re.compile(r"^((?:icalendar|recurring-ical-events)==\S+)", re.MULTILINE)
FREQUENCIES = [b"SECONDLY", b"MINUTELY", b"HOURLY", b"DAILY;COUNT=999999", b"YEARLY;BYMONTH=2;BYMONTHDAY=30"]
SPOILT = int(os.environ.get("SPOILT", "10000"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory) -> dict[str, bytes]:
    """All calendars in the source packages of both libraries, from the registry."""
    folder = tmp_path_factory.mktemp("packages")
    with open("requirements.in") as pins:
        wanted = PINNED.findall(pins.read())
    assert len(wanted) == 2
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder, *wanted],
        check=True,
    )
    found = {}
    for package in folder.glob("*.tar.gz"):
        with tarfile.open(package) as held:
            for member in held.getmembers():
                if member.name.endswith(".ics") and (file := held.extractfile(member)):
                    found[member.name] = file.read()
    assert len(found) > 200
    return found


def ask(questions):
    """Each answer as it comes."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.drills.many_calendars"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as many:  # fmt: skip
        for question in questions:
            many.stdin.write(json.dumps(question) + "\n")
            many.stdin.flush()
            yield json.loads(many.stdout.readline())
        many.stdin.close()


def question(name: str, content: bytes, how: str) -> dict:
    """Two years from the first event on."""
    years = re.findall(rb"DTSTART[^\r\n]*?:(\d{4})(\d\d)(\d\d)", content)
    days = [
        datetime(int(y), int(m), int(d), tzinfo=UTC)
        for y, m, d in years
        if "1971" < y.decode() < "2100" and int(m) in range(1, 13) and 0 < int(d) < 29
    ]
    since = min(days, default=datetime(2026, 1, 1, tzinfo=UTC)) - timedelta(days=8)
    span = {"since": since.isoformat(), "until": (since + timedelta(days=739)).isoformat()}
    return {"name": name, "how": how, "content": content.decode("latin-1"), **span}


def test_what_the_libraries_read_alone_gives_the_same_periods_here(strangers):
    hows = ("library", "portal")
    answers = list(ask(question(name, content, how) for name, content in strangers.items() for how in hows))
    by_name: dict[str, dict[str, dict]] = {}
    for answer in answers:
        by_name.setdefault(answer["name"], {})[answer["how"]] = answer
    read = {name: both for name, both in by_name.items() if "periods" in both["library"]}
    different = {
        name: both["portal"].get(
            "refused", f"{len(both['portal'].get('periods', ()))} periods, not {len(both['library']['periods'])}"
        )
        for name, both in read.items()
        if both["portal"].get("periods") != both["library"]["periods"]
    }
    less = [name for name in different if not periods_of(read[name]["library"]) <= periods_of(read[name]["portal"])]
    also = sum("periods" in both["portal"] for name, both in by_name.items() if name not in read)
    print(
        f"\n{len(strangers)} files, {len(read)} read by the library alone, {len(read) - len(different)} the same here"
    )
    print(f"{also} of the {len(by_name) - len(read)} others are read here")
    for name, why in sorted(different.items()):
        print(f"  {name}: {why}")
    assert not any("killed" in answer or "raised" in answer for answer in answers if answer["how"] == "portal")
    # Where more is locked here, the library loses events that everybody else shows (docs/decisions/0042).
    assert less == []
    assert len(different) <= len(read) / 50


def periods_of(answer: dict) -> set[tuple[str, str]]:
    return {tuple(period) for period in answer.get("periods", ())}


def spoilt(strangers: dict[str, bytes], dice: random.Random) -> bytes:
    """Lines and bytes of calendars left out, doubled, swapped, put elsewhere; numbers made large."""
    lines = dice.choice(list(strangers.values()))[:60_000].splitlines()
    for _ in range(dice.randrange(1, 12)):
        if not lines:
            break
        place = dice.randrange(len(lines))
        line = lines[place]
        match dice.randrange(7):
            case 0:
                del lines[place]
            case 1:
                lines.insert(dice.randrange(len(lines)), line)
            case 2:
                other = dice.choice(list(strangers.values())).splitlines() or [b""]
                lines.insert(place, dice.choice(other))
            case 3:
                cut = dice.randrange(len(line) + 1)
                lines[place] = line[:cut] + dice.randbytes(dice.randrange(6)) + line[cut + dice.randrange(4) :]
            case 4:
                lines[place] = re.sub(
                    rb"\d+", lambda _: str(dice.randrange(10 ** dice.randrange(1, 12))).encode(), line
                )
            case 5:
                (freq,) = dice.choices(FREQUENCIES, [1, 1, 20, 99, 20])
                lines[place] = b"RRULE:FREQ=" + freq
            case _:
                lines[place] = line[:20] * dice.randrange(1, 2000)
    return b"\r\n".join(lines)


def test_no_spoilt_file_costs_more_than_its_limit(strangers):
    dice = random.Random(9)
    outcomes: Counter[str] = Counter()
    worst = {"cpu": 0.0, "kb": 0}
    questions = (question(str(n), spoilt(strangers, dice), "portal") for n in range(SPOILT))
    for answer in ask(questions):
        outcomes[next(name for name in ("periods", "refused", "raised", "killed") if name in answer)] += 1
        worst = {name: max(most, answer[name]) for name, most in worst.items()}
        assert "raised" not in answer, answer
    print(f"\n{dict(outcomes)}; worst: {worst['cpu']:.1f} s of CPU, {worst['kb'] / 1024:.0f} MB")
    assert outcomes["killed"] <= SPOILT / 1000  # what is killed is refused by who started it
    assert worst["cpu"] < CPU_SECONDS + GRACE + 1
    assert worst["kb"] * 1024 < MEMORY
