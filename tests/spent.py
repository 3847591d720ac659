"""``pytest -p tests.spent``: the seconds that each directory of tests took, set-up, call and tear-down apart.

Beside them the seconds of a processor (of the process and of its children that have ended): what is far below the seconds
that passed has waited.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Generator

import pytest


def processor() -> float:
    return sum(os.times()[:4])


class Clock:
    at = processor()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    before, Clock.at = Clock.at, processor()
    report.processor = Clock.at - before
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seconds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                within = report.nodeid.partition("::")[0].split("/")[1]
                for key in (within, "all"):
                    seconds[key][report.when] += report.duration
                    seconds[key]["processor"] += report.processor
                    seconds[key]["tests"] += report.when == "call"
    terminalreporter.section("seconds spent")
    for name, of in sorted(seconds.items(), key=lambda entry: entry[1]["call"]):
        phases = "  ".join(f"{when} {of[when]:6.1f}" for when in ("setup", "call", "teardown", "processor"))
        terminalreporter.write_line(f"{name:<24} {of['tests']:>5} tests  {phases}")
