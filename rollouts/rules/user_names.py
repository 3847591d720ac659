"""What people and groups may be called: history and four eyes tell them apart by name, and readers by how it looks.

Look-alikes are those of Unicode's table of confusables (UTS 39), by ``confusable_homoglyphs``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

from .forgetting import is_stand_in
from .phrases import Phrase, invalid, say, shorten

LONGEST = 150
#: Letters of one script, digits and what addresses of mail hold: GitLab's own user names are of these too.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+-]*[A-Za-z0-9_])?\Z")
_GROUP = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._@+:/-]*[A-Za-z0-9_])?\Z")
#: Jobs that do things in the history under these names; a test finds any that is missing.
JOBS = frozenset(
    "approvals calendars checkpoints demo incidents keeping lines metrics migrate notifications outbox prune ramp "
    "settings sign-in sync webhook".split()
)
#: What would read as the portal itself, or as nobody.
RESERVED = JOBS | frozenset("anonymous gitlab nobody portal system unknown".split())


def user_name(value: str, others: Iterable[str] = ()) -> str:
    """A name to sign in with. ``others`` are the names there are. Raises ValueError with the cure."""
    _written_well(value, _NAME, say("A user name"))
    if _looks(value) & _looks_of(RESERVED):
        raise invalid(
            "«{name}» reads as a part of the portal, not as a person: its jobs are called so in the history. "
            "Choose another name.",
            name=value,
        )
    return _unlike(value, others)


def group_name(value: str, others: Iterable[str] = ()) -> str:
    """A name of a group, which approval policies may ask for. Raises ValueError with the cure."""
    _written_well(value, _GROUP, say("A group's name"))
    return _unlike(value, others)


def taken_for_others(names: Iterable[str]) -> list[str]:
    """Those that no door would let in today, for the names beside them or for themselves."""
    names = sorted(names)
    alike = Counter(look for name in names for look in _looks(name))
    found = []
    for name in names:
        try:
            user_name(name)
        except ValueError:
            found.append(name)
        else:
            found += [name] if any(alike[look] > 1 for look in _looks(name)) else []
    return found


def is_a_person(name: str) -> bool:
    """Whether history can mean a person by it: no job, no user of the operating system, nobody who was forgotten."""
    return bool(name) and ":" not in name and name not in RESERVED and not is_stand_in(name)


def imitation(value: str) -> str:
    """The first letter that only looks like a plain one; empty where there is none."""
    return next((one for one in value if not one.isascii() and _plain(one) != one), "")


def _written_well(value: str, form: re.Pattern[str], what: Phrase) -> None:
    if len(value) > LONGEST:
        raise invalid("{what} may have {most} characters. Shorten it.", what=what, most=LONGEST)
    if form.match(value):
        return
    odd = next((one for one in value if not one.isascii()), "")
    if odd:
        raise invalid(
            "{what} has plain letters only, a to z: «{odd}» ({unicode}) in «{name}» is none{alike}.",
            what=what,
            odd=odd if odd.isprintable() else "?",
            unicode=unicodedata.name(odd, f"U+{ord(odd):04X}"),
            name=shorten("".join(one if one.isprintable() else "?" for one in value)),
            alike=say(", it only looks like «{letter}»", letter=_plain(odd)) if _plain(odd) != odd else "",
        )
    raise invalid(
        "«{name}» is no name. {what} begins with a letter or digit and holds letters, digits and . _ @ + - only.",
        what=what,
        name=shorten("".join(one if one.isprintable() else "?" for one in value)),
    )


def _unlike(value: str, others: Iterable[str]) -> str:
    looks = _looks(value)
    for other in others:
        if other != value and looks & _looks(other):
            raise invalid(
                "«{name}» looks like «{other}», who is there already. Choose another name.", name=value, other=other
            )
    return value


@lru_cache(maxsize=20_000)
def _looks(name: str) -> frozenset[str]:
    """What a name may be read as: in the case that it is written in, and in small letters."""
    return frozenset("".join(map(_plain, text)).casefold() for text in (name, name.casefold()))


@lru_cache(maxsize=1)
def _looks_of(names: frozenset[str]) -> frozenset[str]:
    return frozenset[str]().union(*map(_looks, names))


@lru_cache(maxsize=2_000)
def _plain(sign: str) -> str:
    """The one plain sign, or two, that stands for all that look like it: l for 1, I and |; rn for m; a for а."""
    alike = [found["c"] for found in _confusables().get(sign) or () if found["c"].isascii()]
    return min([*alike, *([sign] if sign.isascii() else [])], key=_order, default=sign)


@cache
def _confusables() -> dict[str, Any]:
    """Unicode's table, read when the first name is judged: settings and models import this module, and no name is."""
    from confusable_homoglyphs.confusables import confusables_data

    return dict(confusables_data)


def _order(plain: str) -> tuple[bool, bool, str]:
    return len(plain) == 1, not plain.islower() and not (plain.isalpha()), plain.swapcase()
