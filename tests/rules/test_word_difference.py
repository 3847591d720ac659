"""Which words and items went and came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules import word_difference
from rollouts.rules.word_difference import MOST_COMPARED, MOST_SHOWN, NEIGHBOURS, Part

TEXTS = st.lists(st.sampled_from(["of", "to", "all", "users"]), max_size=12).map(" ".join)


def shown(parts):
    """``[ … ]`` around what went, ``{ … }`` around what came."""
    around = {"": "%s", "del": "[%s]", "ins": "{%s}"}
    return " ".join(around[part.look] % part.text for part in parts)


@pytest.mark.parametrize(
    ("was", "now", "difference"),
    [
        ("Claude Haiku", "Claude Haiku for code", "Claude Haiku {for code}"),
        ("25 % of actors", "50 % of actors", "[25] {50} % of actors"),
        ("draft", "active", "[draft] {active}"),
        ("", "new", "{new}"),
        ("old", "", "[old]"),
        ("the same", "the same", "the same"),
        ("", "", ""),
        ("a  b\n", "a b", "a  b\n"),  # white space alone is no change
    ],
)
def test_words(was, now, difference):
    assert shown(word_difference.words(was, now)) == difference


def test_items_are_compared_whole():
    assert shown(word_difference.items(["mia", "ann lee"], ["mia", "ann", "bob"])) == "mia, [ann lee] {ann, bob}"
    assert shown(word_difference.items([], ["mia", "ann"])) == "{mia, ann}"
    assert word_difference.items(["a"], ["a"]) == (Part("", "a"),)


def test_of_a_long_text_only_what_stands_beside_a_change_is_shown():
    text = [f"w{number}" for number in range(1000)]
    parts = word_difference.words(" ".join(text), " ".join([*text[:500], "changed", *text[501:]]))
    assert [part.look for part in parts] == ["", "del", "ins", ""]
    assert parts[0].text == f"… {' '.join(text[500 - NEIGHBOURS : 500])}"
    assert (parts[1].text, parts[2].text) == ("w500", "changed")
    assert parts[3].text == f"{' '.join(text[501 : 501 + NEIGHBOURS])} …"


def test_what_is_too_long_to_be_compared_went_and_came_as_a_whole():
    was, now = ([f"{side}{number}" for number in range(MOST_COMPARED + 1)] for side in "ab")
    parts = word_difference.words(" ".join(was), " ".join(now))
    assert [part.look for part in parts] == ["del", "ins"]
    assert parts[1].text == f"{' '.join(now[:MOST_SHOWN])} …"


@given(TEXTS, TEXTS)
def test_what_stayed_and_went_is_the_one_side_and_what_stayed_and_came_the_other(was, now):
    parts = word_difference.words(was, now)
    assert " ".join(part.text for part in parts if part.look != "ins") == was
    assert " ".join(part.text for part in parts if part.look != "del") == now
