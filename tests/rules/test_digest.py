"""What differs between what was asked for and what is now, in sentences."""

from __future__ import annotations

import pytest

from rollouts.rules import digest


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, "codestral", "was nothing, is codestral."),
        ("codestral", "", "was codestral, is nothing."),
        ([], ["a", "b"], "was nothing, is a, b."),
        (True, False, "was yes, is no."),
        (0, 1, "was 0, is 1."),
    ],
)
def test_what_was_and_is_is_told_in_words(before, after, told):
    (sentence,) = digest.changes({"form": 1, "baseline": before}, {"form": 1, "baseline": after})
    assert sentence.endswith(f": {told}")


def test_contents_of_two_forms_are_not_compared_and_equal_ones_differ_in_nothing():
    assert digest.changes({"form": 1, "baseline": "a"}, {"form": 2, "baseline": "b"}) == []
    assert digest.changes({"form": 1, "baseline": "a"}, {"form": 1, "baseline": "a"}) == []
