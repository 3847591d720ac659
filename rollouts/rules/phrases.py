"""Sentences that are English wherever they are kept or compared, and the reader's language where they are shown.

Why so: docs/decisions/0025-phrases.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from html import escape
from typing import Any

Value = str | int | float
#: What a kept template may hold; ``{part.__class__}`` would reach into the program.
_HARMLESS = re.compile(r"(?:[^{}]|\{\{|\}\}|\{\w+(?::capital)?\})*")


@dataclass(slots=True)
class _Tongue:
    """How templates and numbers are put into the language of whoever reads now; English until told otherwise."""

    one: Callable[[str], str]
    some: Callable[[str, str, int], str]
    number: Callable[[int | float], str]
    is_english: Callable[[], bool] = lambda: False


def _english_number(value: int | float) -> str:
    return f"{value:,}"


_tongue = _Tongue(lambda text: text, lambda one, many, n: one if n == 1 else many, _english_number, lambda: True)


def speak_through(
    gettext: Callable[[str], str],
    ngettext: Callable[[str, str, int], str],
    number: Callable[[int | float], str],
    is_english: Callable[[], bool] = lambda: False,
) -> None:
    """Translate by these from now on: the portal hands Django's in, because rules know no Django.

    Who reads English needs no catalogue: a phrase is its own English.
    """
    _tongue.one, _tongue.some, _tongue.number, _tongue.is_english = gettext, ngettext, number, is_english


class _Text(str):
    def __format__(self, how: str) -> str:
        return self[:1].upper() + self[1:] if how == "capital" else format(str(self), how)


class Phrase(str):
    """A sentence in English that remembers its template and what was put into it.

    To databases, JSON and ``==`` it is its English text; a template (by ``__html__``) and ``spoken`` say it in the
    reader's language. An f-string, ``+`` and every method of ``str`` give plain English: compose with ``say``.
    """

    forms: tuple[str, ...]
    given: Mapping[str, Value]

    def __new__(cls, forms: tuple[str, ...], given: Mapping[str, Value]) -> Phrase:
        template = forms[0] if len(forms) == 1 or given["n"] == 1 else forms[1]
        phrase = super().__new__(cls, _filled(template, given, str, _english_number))
        phrase.forms, phrase.given = forms, given
        return phrase

    def __str__(self) -> Phrase:
        """``str(error)`` of an error with a phrase is the phrase."""
        return self

    def __reduce__(self) -> tuple[type[Phrase], tuple[Any, ...]]:
        return Phrase, (self.forms, self.given)

    def __html__(self) -> str:
        return escape(spoken(self))


def say(template: str, /, **given: object) -> Phrase:
    """``say("{what} must stand {length} more.", what=…, length=…)``.

    Numbers come with their thousands apart; a number that is a name (a port, a year) is given as text.
    """
    return Phrase((template,), {name: _value(value) for name, value in given.items()})


def invalid(template: str, /, **given: object) -> ValueError:
    """The error to raise over what somebody wrote, with a sentence as ``say`` makes it."""
    return ValueError(say(template, **given))


def say_n(one: str, many: str, /, n: int, **given: object) -> Phrase:
    """``say_n("{n} approval", "{n} approvals", 3)``: which of both is said hangs on ``n``, as each language has it."""
    return Phrase((one, many), {"n": n, **{name: _value(value) for name, value in given.items()}})


def joined(parts: Iterable[str], by: str = " ") -> Phrase:
    """Sentences in a row, or names with commas; what is empty is left out."""
    kept = {f"_{number}": part for number, part in enumerate(part for part in parts if part)}
    return say(by.join(f"{{{name}}}" for name in kept), **kept)


def sentence(text: object) -> Phrase:
    """Beginning as a sentence does, in every language."""
    return Phrase(("{_:capital}",), {"_": _value(text)})


def listed(parts: Sequence[str]) -> Phrase:
    """«a», «a and b», «a, b and c»."""
    if len(parts) < 2:
        return joined(parts)
    return say("{these} and {last}", these=joined(parts[:-1], ", "), last=parts[-1])


def any_of(parts: Sequence[str]) -> Phrase:
    """«a», «a or b», «a, b or c»."""
    if len(parts) < 2:
        return joined(parts)
    return say("{these} or {last}", these=joined(parts[:-1], ", "), last=parts[-1])


def later(template: str) -> str:
    """Marks a template for translators where it is kept to be said later."""
    return template


def spoken(text: str) -> str:
    """What a reader sees, as plain text; any text that is no phrase is as it is."""
    if not isinstance(text, Phrase) or _tongue.is_english():
        return str(text)
    if not text.forms[0]:
        return ""
    if len(text.forms) == 1:
        template = _tongue.one(text.forms[0])
    else:
        template = _tongue.some(text.forms[0], text.forms[1], int(text.given["n"]))
    try:
        return _filled(template, text.given, spoken, _tongue.number)
    except (KeyError, IndexError, ValueError, AttributeError):  # a translator's slip costs a translation, not the page
        return str(text)


def packed(text: str) -> str | list[Any]:
    """The phrase for JSON, to be said in any language later."""
    if not isinstance(text, Phrase):
        return str(text)
    given = {name: packed(value) if isinstance(value, str) else value for name, value in text.given.items()}
    return [*text.forms, given]


def unpacked(kept: str | list[Any]) -> str:
    """The inverse of ``packed``."""
    if isinstance(kept, str):
        return kept
    *forms, given = kept
    if not all(_HARMLESS.fullmatch(form) for form in forms):
        raise ValueError("a template puts named parts in, and nothing else")
    values = {name: unpacked(value) if isinstance(value, str | list) else value for name, value in given.items()}
    return Phrase(tuple(forms), values)


def as_text(text: str) -> str:
    """The phrase as one text, for a column of text; any other text is as it is."""
    return json.dumps(packed(text), ensure_ascii=False) if isinstance(text, Phrase) else str(text)


def from_text(kept: str) -> str:
    """The inverse of ``as_text``."""
    return _from_text(kept) if kept.startswith('["') else kept


@lru_cache(maxsize=4096)
def _from_text(kept: str) -> str:
    """A page says few phrases many times, and a phrase never changes."""
    try:
        return unpacked(json.loads(kept))
    except (ValueError, TypeError, KeyError, AttributeError):  # somebody's own text that begins so
        return kept


def _value(value: object) -> Value:
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    if isinstance(value, Phrase) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    return str(value)


def _filled(
    template: str, given: Mapping[str, Value], text: Callable[[str], str], number: Callable[[int | float], str]
) -> str:
    if "{" not in template:
        return template
    return template.format_map(
        {name: _Text(text(value)) if isinstance(value, str) else number(value) for name, value in given.items()}
    )


def shorten(text: str, most: int = 60) -> str:
    """Text for a message: on one line, not longer than a person reads."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def kind_of(value: Any) -> str:
    """What a value is, in a person's words."""
    match value:
        case None:
            return say("empty")
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return say("the number {written}", written=shorten(str(value)))
        case str():
            return say("the text «{written}»", written=shorten(value))
        case list():
            return say("a list")
        case _:
            return say("a mapping of keys to values")
