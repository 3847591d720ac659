"""Objects as they were: the events that tell of one, in their order, folded into what it was at a moment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: What kind of object, and which: ("Phase", "3").
Key = tuple[str, str]
#: How another object than the one that an event is about stands in it: «Phase 3: Owning team».
_ANOTHER = re.compile(r"(\w+) (\S+): ")
#: What was too large for the history stands in it by how it begins and its digest (``audit.bounds``).
_CUT = re.compile(r"… \([0-9]+ characters, SHA-256 [0-9a-f]{64}\)\Z")


@dataclass(frozen=True, slots=True)
class Told:
    """What one event tells of one object: plain values of the fields that changed; all of one that was made."""

    event: int
    at: datetime
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def sides(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return self.before, self.after

    @property
    def is_made(self) -> bool:
        return "id" in self.after

    @property
    def is_gone(self) -> bool:
        return bool(self.before) and not self.before.keys() & self.after.keys()


def told_by(
    event: int,
    at: datetime,
    about: Key,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    confidential: Mapping[str, Any],
) -> Iterator[tuple[Key, Told]]:
    """Each object of an event with what the event tells of it. Notes stand among the fields of what it is about."""
    others = {key for part in (before, after, confidential) for key in part if _ANOTHER.match(key)}
    covered = {_key(name): parts for name, parts in confidential.items() if name in others}
    own = covered.get(about, {})
    yield about, Told(event, at, _with(before, others, own, "before"), _with(after, others, own, "after"))
    for name in others:
        if (key := _key(name)) != about:
            own = covered.get(key, {})
            yield (
                key,
                Told(
                    event,
                    at,
                    {**before.get(name, {}), **own.get("before", {})},
                    {**after.get(name, {}), **own.get("after", {})},
                ),
            )


def _with(values: Mapping[str, Any], others: set[str], own: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    if not others:
        return values
    return {**{name: value for name, value in values.items() if name not in others}, **own.get(side, {})}


def _key(name: str) -> Key:
    found = _ANOTHER.match(name)
    assert found is not None
    return found[1], found[2]


def as_it_was(told: Iterable[Told], moment: datetime) -> dict[str, Any] | None:
    """The object's fields at ``moment``; None where it was not there, as far as events tell.

    What no event until then tells, but the next one does by what was before it, is told too.
    """
    values: dict[str, Any] | None = None
    is_whole = False
    for one in told:
        if one.at > moment:
            if one.is_made or is_whole:
                break
            values = {**one.before, **(values or {})} if values is not None or one.before else values
        else:
            values, is_whole = then(values, one), is_whole or one.is_gone or one.is_made
    return values


def then(values: Mapping[str, Any] | None, one: Told) -> dict[str, Any] | None:
    """An object's fields after an event that tells of it; None where it is gone."""
    if one.is_gone:
        return None
    return dict(one.after) if one.is_made else {**(values or {}), **one.after}


def differing(one: Mapping[str, Any] | None, two: Mapping[str, Any] | None) -> list[tuple[str, Any, Any]]:
    """The fields that differ between an object and what it is later, each with both values; None where it is not."""
    before, after = one or {}, two or {}
    names = dict.fromkeys((*before, *after))
    return [(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def is_cut(value: Any) -> bool:
    """Whether a value was too large to be kept whole."""
    return isinstance(value, str) and _CUT.search(value) is not None
