"""Who is in, for up to 1,000 actors at once: taken from a text, counted, and as a sheet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from django.utils.translation import gettext as _

from ...rules.phrases import spoken
from ...rules.spreadsheet import lines
from ...services.who_is_in import Judged

MOST = 1_000


class TooMany(ValueError):
    """More actors than are answered at once."""


def split(text: str) -> list[str]:
    """Actors, one a line or with commas, blanks or semicolons between them; each once. Raises ``TooMany``."""
    asked = list(dict.fromkeys(filter(None, re.split(r"[\s,;]+", text))))
    if len(asked) > MOST:
        raise TooMany(
            _("%(n)s actors are too many at once. Ask for %(most)s at most.") % {"n": len(asked), "most": MOST}
        )
    return asked


def counted(judgeds: Sequence[Judged]) -> str:
    """«12 in, 3 not in, 1 not known»"""
    numbers = {
        words: sum(one.verdict == words for one in judgeds) for words in dict.fromkeys(one.verdict for one in judgeds)
    }
    return ", ".join(f"{number} {spoken(words)}" for words, number in numbers.items())


HEADINGS = ("asked", "actor", "in", "enters", "now at", "why")


def as_csv(judgeds: Iterable[Judged]) -> str:
    """The answers for a spreadsheet; nothing in it is taken for a formula."""
    rows = ((one.asked, one.actor, one.verdict, one.enters, one.now, one.wrong or one.why) for one in judgeds)
    return "".join(lines([HEADINGS, *(map(spoken, row) for row in rows)]))
