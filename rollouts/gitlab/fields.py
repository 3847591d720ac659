"""Read one field of GitLab's JSON, or raise BadAnswer that names it.

The other side is not trusted: strings lose what no database can store and are cut to a length, links must be
http(s), numbers must fit a database's integer. A missing optional field is its default, a wrong type is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from rollouts.gitlab.errors import BadAnswer
from rollouts.gitlab.phrases import GitLabPhrase, worded

LARGEST = 2**63 - 1
#: Years of moments that can be told in every time zone.
EARLIEST, LATEST = 1970, 8999
NAME = 255  # GitLab's own limit for titles, names, labels and user names
TEXT = 1_000
URL = 2_048
MANY = 10_000  # entries of one list inside a record


def as_object(raw: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise BadAnswer(field, worded("should be an object, not {kind}", kind=_kind_of(raw)))
    return raw


def as_rows(raw: Any, field: str) -> list[Any]:
    if not isinstance(raw, list):
        raise BadAnswer(field, worded("should be a list, not {kind}", kind=_kind_of(raw)))
    return raw


def clean(text: str, limit: int = TEXT) -> str:
    """Without NUL (PostgreSQL refuses it) and lone surrogates (no encoding has them), at most ``limit`` characters."""
    return text[: limit * 2].replace("\0", "").encode("utf-8", "replace").decode("utf-8")[:limit]


def text(raw: Mapping[str, Any], field: str, *, limit: int = TEXT) -> str:
    """An optional string; missing and null are the empty string."""
    value = raw.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadAnswer(field, worded("should be a string, not {kind}", kind=_kind_of(value)))
    return clean(value, limit)


def required_text(raw: Mapping[str, Any], field: str, *, limit: int = TEXT) -> str:
    if raw.get(field) is None:
        raise BadAnswer(field, worded("is missing"))
    value = text(raw, field, limit=limit)
    if not value.strip():
        raise BadAnswer(field, worded("is empty"))
    return value


def identity(raw: Mapping[str, Any], field: str) -> str:
    """A name that things are found by: it is never cut, for two long ones could become one."""
    value = required_text(raw, field, limit=NAME + 1)
    if len(value) > NAME:
        raise BadAnswer(field, worded("is longer than {limit} characters", limit=NAME))
    if value != raw[field]:
        raise BadAnswer(field, worded("has characters that no name may have"))
    return value


def link(raw: Mapping[str, Any], field: str) -> str:
    """An optional address. What is not http(s), or too long to be one, is dropped: pages make links of it."""
    value = text(raw, field, limit=URL + 1)
    return value if len(value) <= URL and value.startswith(("http://", "https://")) else ""


def boolean(raw: Mapping[str, Any], field: str, default: Any = False) -> Any:
    value = raw.get(field)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise BadAnswer(field, worded("should be true or false, not {kind}", kind=_kind_of(value)))
    return value


def number(raw: Mapping[str, Any], field: str, *, least: int = 0) -> int | None:
    """An optional whole number between ``least`` and what a database can hold."""
    value = raw.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadAnswer(field, worded("should be a whole number, not {kind}", kind=_kind_of(value)))
    if not least <= value <= LARGEST:
        raise BadAnswer(field, worded("is out of range"))
    return value


def required_number(raw: Mapping[str, Any], field: str, *, least: int = 1) -> int:
    value = number(raw, field, least=least)
    if value is None:
        raise BadAnswer(field, worded("is missing"))
    return value


def percentage(raw: Mapping[str, Any], field: str) -> int | float:
    value = raw.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise BadAnswer(field, worded("should be a percentage, 0 to 100"))
    return value


def moment(raw: Mapping[str, Any], field: str) -> datetime | None:
    """An optional time, in UTC. GitLab writes ISO 8601, and ``2026-11-23 10:00:00 UTC`` in places."""
    value = text(raw, field, limit=64)
    if not value:
        return None
    try:
        read = datetime.fromisoformat(value.removesuffix(" UTC"))
        found = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
        if not EARLIEST <= found.year <= LATEST:
            raise ValueError
        return found
    except (ValueError, OverflowError):
        raise BadAnswer(field, worded("should be a time (ISO 8601)")) from None


def day(raw: Mapping[str, Any], field: str) -> date | None:
    value = text(raw, field, limit=64)
    if not value:
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        raise BadAnswer(field, worded("should be a date (YYYY-MM-DD)")) from None


def names(raw: Mapping[str, Any], field: str, *, limit: int = NAME) -> tuple[str, ...]:
    """An optional list of strings."""
    value = raw.get(field)
    if value is None:
        return ()
    rows = as_rows(value, field)
    if len(rows) > MANY:
        raise BadAnswer(field, worded("has more than {limit} entries", limit=f"{MANY:,}"))
    for index, row in enumerate(rows):
        if not isinstance(row, str):
            raise BadAnswer(f"{field}[{index}]", worded("should be a string, not {kind}", kind=_kind_of(row)))
    return tuple(clean(row, limit) for row in rows)


def objects(raw: Mapping[str, Any], field: str) -> list[tuple[str, Mapping[str, Any]]]:
    """An optional list of objects, each with its place (``strategies[0]``)."""
    value = raw.get(field)
    if value is None:
        return []
    rows = as_rows(value, field)
    if len(rows) > MANY:
        raise BadAnswer(field, worded("has more than {limit} entries", limit=f"{MANY:,}"))
    return [(f"{field}[{index}]", as_object(row, f"{field}[{index}]")) for index, row in enumerate(rows)]


def within(place: str, read: Callable[..., Any], *what: Any) -> Any:
    """Read something further inside, so that a problem names the whole way: ``gates[2].value``."""
    try:
        return read(*what)
    except BadAnswer as problem:
        raise problem.within(place) from None


def _kind_of(value: Any) -> GitLabPhrase:
    match value:
        case None:
            return worded("null")
        case bool():
            return worded("a boolean")
        case int() | float():
            return worded("a number")
        case str():
            return worded("a string")
        case list():
            return worded("a list")
        case _:
            return worded("an object")
