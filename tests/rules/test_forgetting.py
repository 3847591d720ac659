"""A name goes as a whole word, and nothing that only looks like it."""

import pytest

from rollouts.rules.forgetting import is_stand_in, rewritten, stand_in, without

GONE = without({"mia": "X", "mia@example.com": "Y", "Mia Miller": "Z"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mia", "X"),
        ("sam, mia", "sam, X"),
        ("Phase 3: mia", "Phase 3: X"),
        ("account of mia.", "account of X."),
        ("«mia»", "«X»"),
        ("owner=mia&state=all", "owner=X&state=all"),
        ("mia@example.com", "Y"),
        ("Mia Miller (mia)", "Z (X)"),
        ("miami mia-2 mia.b a.mia mia@other.org", "miami mia-2 mia.b a.mia mia@other.org"),
        ("user:mia os:mia @mia", "user:mia os:mia @mia"),
        ("", ""),
    ],
)
def test_whole_words(text, told):
    assert GONE(text) == told


def test_all_of_json_keys_too():
    assert rewritten({"mia": ["mia", {"by": "mia", "n": 1}], "User 3: mia": None}, GONE) == {
        "X": ["X", {"by": "X", "n": 1}],
        "User 3: X": None,
    }


def test_who_has_no_name_loses_none():
    assert without({})("mia") == without({"": "X"})("mia") == "mia"


def test_stand_ins_are_known_again():
    assert is_stand_in(stand_in("3f9a1c"))
    assert is_stand_in(stand_in("3f9a1c", 2))
    assert not is_stand_in("somebody-who-left")
    assert not is_stand_in("mia")
