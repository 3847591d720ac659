"""What the portal does not know of GitLab, said on every page: nobody shall take an old reading for the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from ..models import GitLabInstance
from ..models.gitlab import Outcome
from ..services.freshness import is_stale

REFUSED = (Outcome.UNAUTHORIZED, Outcome.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Freshness:
    """``look`` colours the dot: empty, wait or stop. Either ``words`` say it all, or GitLab was read at a moment."""

    words: str = ""
    look: str = ""
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A notice: what is not known and what follows from that; ``detail`` is the cause as the sync found it."""

    words: str
    look: str
    since: datetime | None = None
    detail: str = ""


def freshness(instances: Iterable[GitLabInstance], now: datetime) -> Freshness:
    """In a few words, for the bar: the worst of all instances."""
    connected = [instance for instance in instances if instance.url and not instance.retired_at]
    if not connected:
        return Freshness(_("no GitLab connected"), "wait")
    if any(instance.flags_outcome in REFUSED for instance in connected):
        return Freshness(_("GitLab refuses the token"), "stop")
    read = [instance.flags_read_at for instance in connected if instance.flags_read_at]
    if len(read) < len(connected):
        return Freshness(_("GitLab not read yet"), "wait")
    return Freshness(look="stop" if is_stale(min(read), now) else "", read_at=min(read))


def unknown(instances: Iterable[GitLabInstance], now: datetime, *, may_cure: bool) -> list[Unknown]:
    """Each instance that can't be relied on. Of a lasting lack only who may cure it is told."""
    connected = [instance for instance in instances if instance.url and not instance.retired_at]
    if not connected:
        words = _(
            "No GitLab is connected: the portal knows the plans, and not where flags and issues stand. "
            "Set GITLAB_URL and GITLAB_TOKEN and start it again; until then enter readings by hand, on a flag's page."
        )
        return [Unknown(words, "wait")] if may_cure else []
    return [told for instance in connected if (told := _unknown_of(instance, now, may_cure))]


def _unknown_of(instance: GitLabInstance, now: datetime, may_cure: bool) -> Unknown | None:
    name, detail = instance.name, instance.why_not_asked or instance.flags_words
    if instance.flags_outcome == Outcome.FORBIDDEN and may_cure:
        words = _(
            "The token for %(name)s may not read its flags: the portal does not know where they stand. "
            "Give it the token of an administrator, or enter readings by hand, on a flag's page."
        )
        return Unknown(words % {"name": name}, "wait", detail=detail)
    if instance.flags_outcome == Outcome.UNAUTHORIZED:
        words = _(
            "%(name)s refuses the portal's token: nothing that it shows of flags and issues is sure to be true now."
        )
        return Unknown(words % {"name": name}, "stop", instance.flags_read_at, detail)
    if instance.flags_read_at and is_stale(instance.flags_read_at, now):
        words = _(
            "%(name)s was not read for too long: the portal does not know where its flags and issues stand now. "
            "Nothing starts or widens until it is read again; rolling back is possible."
        )
        return Unknown(words % {"name": name}, "stop", instance.flags_read_at, detail)
    return None
