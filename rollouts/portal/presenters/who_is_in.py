"""Who is in: what a person typed, the answer in a sentence, and the same for a list of up to 1,000."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from ...models import FeatureFlag
from ...rules.inclusion import Gate, Inclusion
from ...rules.percentages import plain_number
from ...rules.spreadsheet import as_cell
from ...rules.words import spoken
from ...services.who_is_in import Judged, judge

MOST = 1_000


@dataclass(frozen=True, slots=True)
class Answer:
    """``asked`` as typed, ``actor`` as GitLab names it; or ``wrong``, what can't be answered and the cure."""

    asked: str
    actor: str = ""
    inside: bool | None = None
    enters: str = ""
    now: str = ""
    why: str = ""
    wrong: str = ""
    by_group: bool = False

    @property
    def verdict(self) -> str:
        if self.wrong:
            return _("not understood")
        if self.by_group:
            return _("in only as a member of a group")
        return {True: _("in"), False: _("not in"), None: _("not known")}[self.inside]

    @property
    def tag(self) -> str:
        return "stop" if self.wrong else {True: "go", False: "", None: "wait"}[self.inside]


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


def answers(flag: FeatureFlag, asked: Sequence[str]) -> list[Answer]:
    """One query, whatever their number."""
    return [_answer(flag, judged) for judged in judge(flag, asked)]


def _answer(flag: FeatureFlag, judged: Judged) -> Answer:
    found = judged.found
    if found is None:
        return Answer(judged.asked, wrong=spoken(judged.wrong))
    exposure = flag.as_listed.exposure
    by_group = found.inside is None and exposure is not None and bool(exposure.groups)
    entered, now = enters_words(found), now_words(found)
    return Answer(judged.asked, found.actor, found.inside, entered, now, why(found, flag), by_group=by_group)


def enters_words(found: Inclusion) -> str:
    """«above 37.214 %» of an instance's flag, «from 37 % on» of a project's."""
    if found.enters_at is None:
        return ""
    bound = plain_number(found.enters_at)
    return (_("from %(bound)s %% on") if found.from_on else _("above %(bound)s %%")) % {"bound": bound}


def now_words(found: Inclusion) -> str:
    return "" if found.stands_at is None else _("%(now)s %%") % {"now": plain_number(found.stands_at)}


def why(found: Inclusion, flag: FeatureFlag) -> str:
    """The gate that decides, in a sentence."""
    exposure = flag.as_listed.exposure
    given = {
        "actor": found.actor,
        "now": plain_number(found.stands_at) if found.stands_at is not None else 0,
        "presence": spoken(flag.as_listed.presence.words),
        "groups": ", ".join(sorted(exposure.groups)) if exposure else "",
    }
    match found.gate:
        case Gate.UNREAD:
            return _("The flag is %(presence)s: nothing is known of who is in.") % given
        case Gate.EVERYONE:
            return _("The flag is on for everyone.")
        case Gate.OPTED_OUT:
            return _("%(actor)s is opted out, whatever the other gates say.") % given
        case Gate.NAMED:
            return _("%(actor)s is named as an actor, whatever the percentage.") % given
        case Gate.PERCENTAGE:
            return _("The flag is on for %(now)s %% of actors.") % given
        case Gate.ONLY_GITLAB_KNOWS if given["groups"]:
            return (
                _(
                    "Not in by the percentage. A member of %(groups)s is in whatever the percentage; "
                    "only GitLab knows who that is."
                )
                % given
            )
        case Gate.ONLY_GITLAB_KNOWS if found.from_on:
            return _(
                "GitLab spreads this flag by session or at random, or the portal does not know how: an id says "
                "nothing of who is in."
            )
        case Gate.ONLY_GITLAB_KNOWS:
            return _("Not in by the percentage, but perhaps by a gate that only GitLab can answer for.") % given
    if found.stands_at:
        return _("The flag is on for %(now)s %% of actors only, and no other gate lets %(actor)s in.") % given
    return _("No gate lets %(actor)s in.") % given


def counted(found: Sequence[Answer]) -> str:
    """«12 in, 3 not in, 1 not known»"""
    numbers = {
        words: sum(one.verdict == words for one in found) for words in dict.fromkeys(one.verdict for one in found)
    }
    return ", ".join(f"{number} {words}" for words, number in numbers.items())


def as_csv(found: Iterable[Answer]) -> str:
    """The answers for a spreadsheet; nothing in it is taken for a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["asked", "actor", "in", "enters", "now at", "why"])
    for one in found:
        cells = (one.asked, one.actor, one.verdict, one.enters, one.now, one.wrong or one.why)
        writer.writerow(map(as_cell, cells))
    return text.getvalue()
