"""Names of people: one alphabet, none of the portal's own jobs, none that looks like another."""

import re
from pathlib import Path

import pytest

from rollouts.rules import names
from rollouts.rules.user_names import JOBS, group_name, taken_for_others, user_name

ROOT = Path(__file__).parents[2] / "rollouts"


@pytest.mark.parametrize("name", ["alice", "mia.k", "a@example.com", "x", "Alice-2", "o_", "a+b"])
def test_plain_names_are_fine(name):
    assert user_name(name, ["bob", name]) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("аlice", "CYRILLIC SMALL LETTER A"),
        ("аlice", "only looks like «a»"),
        ("José", "plain letters only"),
        ("José", "«é» (LATIN SMALL LETTER E WITH ACUTE) in «José»"),
        ("ali\u200bce", "«?» (ZERO WIDTH SPACE) in «ali?ce»"),
        ("ali\u202ece", "RIGHT-TO-LEFT OVERRIDE"),
        ("ali\u200bce", "ZERO WIDTH SPACE"),
        ("", "is no name"),
        ("a b", "is no name"),
        ("os:root", "is no name"),
        ("-x", "is no name"),
        ("@all", "is no name"),
        ("a\n", "is no name"),
        ("x" * 151, "may have 150"),
        ("ramp", "part of the portal"),
        ("SYNC", "part of the portal"),
        ("rarnp", "part of the portal"),
        ("0utbox", "part of the portal"),
        ("ca1endars", "part of the portal"),
        ("Alice", "looks like «alice»"),
    ],
)
def test_names_that_would_be_taken_for_others_are_refused(name, message):
    with pytest.raises(ValueError) as refused:
        user_name(name, ["alice"])
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("name", "other"), [("Ian", "lan"), ("Ian", "ian"), ("a0", "aO"), ("rn", "m"), ("bi11", "bill")]
)
def test_two_names_that_look_alike_are_one_too_many(name, other):
    for one, two in ((name, other), (other, name)):
        with pytest.raises(ValueError, match="looks like"):
            user_name(one, [two])
        with pytest.raises(ValueError, match="looks like"):
            group_name(one, [two])


def test_every_job_that_acts_has_its_name_reserved():
    said = {
        name
        for path in ROOT.rglob("*.py")
        for name in re.findall(r'(?:Actor\.job\(|cls\(Kind\.JOB, )"([^"]+)"', path.read_text())
    }
    assert {"ramp", "sync", "webhook"} <= said
    assert said <= JOBS


def test_an_owner_is_no_look_alike_either():
    assert names.person("José") == "José"
    with pytest.raises(ValueError, match="CYRILLIC"):
        names.person("аlice")


def test_names_of_earlier_releases_are_found():
    names = ["alice", "аlice", "Ian", "lan", "mia", "sync", "root"]
    assert set(taken_for_others(names)) == {"Ian", "lan", "sync", "alice", "аlice"}
