"""Every decision has a number of its own, a title, a date and a status, and the index names them all."""

import re

from tests.docs.decisions import FOLDER, INDEX, all_of_them, index


def test_the_index_is_that_of_the_decisions():
    assert INDEX.read_text() == index(all_of_them()), "run make decisions"


def test_numbers_are_unique_and_statuses_name_decisions_that_there_are():
    decisions = all_of_them()
    numbers = [decision.number for decision in decisions]
    assert len(numbers) >= 50
    assert len(set(numbers)) == len(numbers)
    for decision in decisions:
        assert re.match(r"(accepted|superseded by \d{4}|withdrawn)", decision.status), decision
        assert set(re.findall(r"\d{4}", decision.status)) <= set(numbers), decision


def test_what_one_decision_says_of_another_leads_there():
    for path in FOLDER.glob("*.md"):
        for name in re.findall(r"\d{4}-[a-z0-9-]+\.md", path.read_text()):
            assert (FOLDER / name).is_file(), f"{path.name} names {name}"
