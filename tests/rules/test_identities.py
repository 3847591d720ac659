"""What an identity provider says of somebody, and the roles by groups."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rollouts.rules import identities
from rollouts.rules.machine import Role


def read(**claims):
    both = {"sub": "7"} | claims
    return identities.read(both, {"sub": both["sub"]})


@pytest.mark.parametrize("sub", ["x", "x" * 255])
def test_a_subject_has_up_to_255_characters(sub):
    assert read(sub=sub).subject == sub


@pytest.mark.parametrize("sub", ["", "x" * 256, 7, None])
def test_without_a_subject_nobody_signs_in(sub):
    with pytest.raises(ValueError, match="its answer has no sub"):
        read(sub=sub)


def test_two_answers_are_of_one_person():
    with pytest.raises(ValueError, match="somebody else"):
        identities.read({"sub": "7"}, {"sub": "8"})


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ({"email": "mia@example.com", "email_verified": True}, "mia@example.com"),
        ({"email": "mia@example.com", "email_verified": "true"}, ""),
        ({"email": "mia@example.com"}, ""),
        ({"email": "mia", "email_verified": True}, ""),
        ({"email": 7, "email_verified": True}, ""),
    ],
)
def test_an_address_counts_where_it_is_verified(said, address):
    assert read(**said).address == address


def test_names_and_groups_are_taken_as_far_as_they_are_some():
    assert read(preferred_username="mia", nickname="m").username == "mia"
    assert read(nickname="m").username == "m"
    assert read(preferred_username=7).username == ""
    assert read(groups=["/Acme/App/", 7]).groups == {"acme/app"}
    assert read(groups="acme").groups == frozenset()


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [
        (1, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        (253_402_299_999, datetime(9999, 12, 31, 23, 46, 39, tzinfo=UTC)),
        *((none, None) for none in (0, -1, 253_402_300_000, True, "1", None)),
    ],
)
def test_when_they_showed_who_they_are(seconds, moment):
    assert read(auth_time=seconds).proved_at == moment


def test_roles_by_group():
    by_group = identities.roles_by_group("/Acme/:viewer acme/app:manager acme/app:approver")
    assert by_group == {"acme": {Role.VIEWER}, "acme/app": {Role.MANAGER, Role.APPROVER}}
    assert identities.roles_of(["acme", "acme/app", "else"], by_group) == {Role.VIEWER, Role.MANAGER, Role.APPROVER}
    assert identities.roles_of([], by_group) == frozenset()


@pytest.mark.parametrize("pair", ["acme", ":viewer", "/:viewer", "acme:owner", "acme:"])
def test_a_pair_that_is_none_is_named(pair):
    with pytest.raises(ValueError, match="is no group with a role"):
        identities.roles_by_group(f"acme/app:viewer {pair}")
