"""Drills of calendars: strangers' files as the libraries' own tests have them, and files that were spoilt on purpose."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tarfile
from collections import Counter

import pytest

from rollouts.calendars.limits import CPU_SECONDS, GRACE, MEMORY
from tests.drills.calendars import ask, question, spoilt

pytestmark = [pytest.mark.drill, pytest.mark.timeout(3600)]
#: The versions that the portal is pinned to; their source packages carry their test calendars.
PINNED = re.compile(r"^((?:icalendar|recurring-ical-events)==\S+)", re.MULTILINE)
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
    assert len(different) <= len(read) / 100


def periods_of(answer: dict) -> set[tuple[str, str]]:
    return {tuple(period) for period in answer.get("periods", ())}


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
