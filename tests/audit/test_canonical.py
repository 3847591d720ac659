"""The form that is hashed: RFC 8785, without names of people and without what needs a role to be seen."""

from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as some

from rollouts.audit import canonical
from rollouts.models import AuditEvent, clock

SALT = b"salt"
WORDS = some.text(max_size=12)
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | WORDS,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
CHANGES = some.dictionaries(WORDS | some.sampled_from(sorted(canonical.PERSONAL)), VALUES, max_size=5)


def event(**values):
    given = {"actor": "mia", "actor_kind": "person", "verb": "phase.start", "object_type": "Phase", "object_id": "3",
             "object_name": "Team", "chain": "rollout:haiku", "reason": "", "source": "page", "at": clock.now()}  # fmt: skip
    return AuditEvent(pk=7, **{**given, **values})


def form(one):
    names, hide = canonical.names_in(one), lambda name: canonical.hidden(name, SALT)
    return canonical.sealed(one, names, [2, 1], hide, SALT, number=4, previous="ab")


@given(before=CHANGES, after=CHANGES, reason=WORDS, actor=some.sampled_from(("mia", "os:root", "Grüße", "日本 😀")))
def test_it_is_rfc_8785_whatever_stands_in_it(before, after, reason, actor):
    one = event(before=before, after=after, reason=reason, actor=actor)
    written = canonical.written(form(one))
    assert written == rfc8785.dumps(form(one))
    assert json.loads(written) == form(one)
    assert form(event(before=before, after=after, reason=reason, actor=actor, at=one.at)) == form(one)


@given(owners=some.lists(some.sampled_from(("mia", "alice", "o'hara", "os:root")), max_size=3))
def test_no_name_stands_in_it_where_names_stand(owners):
    one = event(after={"owners": owners, "Phase 3: Team": {"approved_by": ", ".join(owners)}}, before={"title": "mia"},
                confidential={"Issue 1: x": {"after": {"owner": "alice"}}}, way={"os_user": "root"})  # fmt: skip
    text = canonical.written(form(one)).decode()
    for name in {"mia", "root", *owners}:
        assert json.dumps(name) not in text
        assert canonical.hidden(name, SALT) in text


def test_what_needs_a_role_is_covered_and_yet_sealed():
    told = form(event(confidential={"a": "the secret title"}))
    assert "secret" not in json.dumps(told)
    assert told["confidential"] != form(event(confidential={"a": "another"}))["confidential"]
    assert form(event())["confidential"] is None


@pytest.mark.parametrize(
    ("value", "put"),
    [
        (1, 1),
        (True, True),
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (0.1, "0.1"),
        (-(2**60), str(-(2**60))),
    ],
)
def test_numbers_are_exact_everywhere(value, put):
    assert form(event(after={"x": value}))["after"] == {"x": put}


CHANGED = {
    "at": clock.now(), "actor": "vic", "actor_kind": "job", "verb": "phase.pause", "object_type": "Rollout",
    "object_id": "4", "object_name": "Company", "chain": "portal", "reason": "because", "source": "api",
    "request_id": "r", "way": {"os_user": "x"}, "before": {"a": 1}, "after": {"a": 1}, "confidential": {"a": 1},
    "snapshot": {"a": 1}, "said": {"reason": "x"}, "rollout_id": 9,
}  # fmt: skip


def test_every_column_of_an_event_is_sealed():
    assert {*CHANGED} == {field.attname for field in AuditEvent._meta.concrete_fields} - {"id"}


@pytest.mark.parametrize("column", CHANGED)
def test_no_column_changes_without_the_digest(column):
    one = event()
    before = canonical.digest(form(one))
    setattr(one, column, CHANGED[column])
    assert canonical.digest(form(one)) != before
