"""``pytest -p tests.spent``: the seconds that each directory of tests took, set-up, call and tear-down apart."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seconds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                within = report.nodeid.partition("::")[0].split("/")[1]
                for key in (within, "all"):
                    seconds[key][report.when] += report.duration
                    seconds[key]["tests"] += report.when == "call"
    terminalreporter.section("seconds spent")
    for name, of in sorted(seconds.items(), key=lambda entry: entry[1]["call"]):
        phases = "  ".join(f"{when} {of[when]:6.1f}" for when in ("setup", "call", "teardown"))
        terminalreporter.write_line(f"{name:<24} {of['tests']:>5} tests  {phases}")
