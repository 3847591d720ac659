"""Which tests ``make test-services`` leaves out: those that are named, and no new one by accident."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.on_services import ON_BOTH, SAME_ANYWHERE, TESTS, is_same_anywhere


def test_what_is_not_named_runs_on_both():
    assert not is_same_anywhere(TESTS / "services" / "test_of_tomorrow.py")
    assert not is_same_anywhere(TESTS / "browser" / "test_live.py")
    assert not is_same_anywhere(TESTS / "rulesets" / "test_of_tomorrow.py")
    assert is_same_anywhere(TESTS / "rules" / "test_plan.py")


def test_each_name_is_of_tests_that_are_there():
    assert all((TESTS / name).exists() for name in (*SAME_ANYWHERE, *ON_BOTH))


def test_what_is_left_out_asks_for_no_engine():
    """SQL of one engine, and its locks by name, are looked at on both; a test that says so is on both wherever it stands."""
    left_out = [path for path in TESTS.rglob("test_*.py") if is_same_anywhere(path) and path.parent.name != "setup"]
    about = re.compile(r"select_for_update|connection\.vendor|RunSQL")
    assert [
        path.name for path in left_out if about.search(path.read_text()) and "on_both" not in path.read_text()
    ] == []


@pytest.mark.parametrize("module", ["services/test_notices.py", "sync/test_mailing.py", "api/test_approvals_api.py"])
def test_what_commits_runs_on_both_wherever_it_stands(module):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--collect-only",
        "-p",
        "no:cacheprovider",
        "-m",
        "not same_anywhere",
    ]
    done = subprocess.run([*command, f"tests/{module}"], cwd=TESTS.parent, capture_output=True, text=True, check=True)
    commits = (TESTS / module).read_text().count("django_db(transaction=True)")
    assert commits <= done.stdout.count("::") < (TESTS / module).read_text().count("\ndef test_")
