"""Which tests ``make test-services`` leaves out: those that are named, and no new one by accident."""

from __future__ import annotations

import re

from tests.on_services import ON_BOTH, SAME_ANYWHERE, TESTS, is_same_anywhere


def test_what_is_not_named_runs_on_both():
    assert not is_same_anywhere(TESTS / "services" / "test_of_tomorrow.py")
    assert not is_same_anywhere(TESTS / "browser" / "test_live.py")
    assert not is_same_anywhere(TESTS / "rulesets" / "test_of_tomorrow.py")
    assert is_same_anywhere(TESTS / "rules" / "test_plan.py")


def test_each_name_is_of_tests_that_are_there():
    assert all((TESTS / name).exists() for name in (*SAME_ANYWHERE, *ON_BOTH))


def test_what_is_left_out_races_for_no_row():
    """Browsers need a database that others see; but what is about races, locks or SQL of one engine runs on both."""
    left_out = [path for path in TESTS.rglob("test_*.py") if is_same_anywhere(path)]
    about = re.compile(r"django_db\(transaction=True\)|select_for_update|connection\.vendor|RunSQL")
    assert [
        path.name for path in left_out if path.name != "test_on_services.py" and about.search(path.read_text())
    ] == []
