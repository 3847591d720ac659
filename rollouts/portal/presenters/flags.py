"""Feature flags as the list shows them: gates, age, definition, rollout or none, and work that lacks a link."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ...models import FeatureFlag, Rollout, RolloutIssue
from ...rules.expected import Drift, Presence
from ...rules.exposure import Exposure, leaves_actorless_code_off
from ...rules.lifetime import NEVER_ON_BY_DEFAULT, Lifetime, lifetime
from ...rules.machine import RolloutState
from ...rules.phrases import spoken
from ...services.freshness import is_stale
from ...services.lists.flags import WITHOUT_ISSUE, AllFlags

#: Of each kind of unlinked work so many are named; the rest is a number.
MOST_NAMED = 5
GOING_ON = (RolloutState.DRAFT, RolloutState.UNDERWAY, RolloutState.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class Age:
    """``words`` always; the meter only where the type has a limit."""

    words: str
    months: int = 0
    limit: int | None = None
    is_overdue: bool = False

    @property
    def high(self) -> float:
        """From where the meter warns: the last sixth of the lifetime."""
        return (self.limit or 0) * 5 / 6

    @property
    def shown(self) -> int:
        return min(self.months, self.limit or 0)


@dataclass(frozen=True, slots=True)
class Carrier:
    """A rollout on the flag, with its drift in words if there is any."""

    title: str
    url: str
    drift: str


@dataclass(frozen=True, slots=True)
class FlagRow:
    """One flag in the list."""

    name: str
    url: str
    place: str
    gates: str
    read_at: datetime | None
    is_stale: bool
    type: str
    group: str
    milestone: str
    default: str
    age: Age
    carriers: tuple[Carrier, ...]
    lacks_a_plan: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unlinked:
    """Work that lacks a link: how many, and the first few by name."""

    without_issue: int
    without_plan: int
    unknown: tuple[Rollout, ...]
    unknown_count: int
    closed: tuple[RolloutIssue, ...]
    closed_count: int

    def __bool__(self) -> bool:
        return bool(self.without_issue or self.without_plan or self.unknown_count or self.closed_count)

    @property
    def unknown_more(self) -> int:
        return self.unknown_count - len(self.unknown)

    @property
    def closed_more(self) -> int:
        return self.closed_count - len(self.closed)

    @property
    def summary(self) -> str:
        counted = (
            (
                self.without_plan,
                ngettext("%(n)d flag of ours without a plan", "%(n)d flags of ours without a plan", self.without_plan),
            ),
            (
                self.without_issue,
                ngettext("%(n)d without a rollout issue", "%(n)d without a rollout issue", self.without_issue),
            ),
            (
                self.unknown_count,
                ngettext("%(n)d flag unknown to GitLab", "%(n)d flags unknown to GitLab", self.unknown_count),
            ),
            (self.closed_count, ngettext("%(n)d issue closed early", "%(n)d issues closed early", self.closed_count)),
        )
        return " · ".join(words % {"n": n} for n, words in counted if n)


def row(flag: FeatureFlag, known: AllFlags, now: datetime) -> FlagRow:
    """``flag`` comes from ``FeatureFlag.objects.for_list()``: no queries."""
    latest = flag.as_listed
    return FlagRow(
        name=flag.name,
        url=reverse("portal:flag", args=[flag.pk]),
        place=place(flag, several=len(known.instances) > 1),
        gates=latest.words,
        read_at=latest.read_at,
        is_stale=is_stale(latest.read_at, now),
        type=flag.type,
        group=flag.group,
        milestone=flag.milestone,
        default=default_words(flag),
        age=age_of(flag, now),
        carriers=tuple(carriers(flag)),
        lacks_a_plan=known.lacks_a_plan(flag),
        warnings=tuple(warnings(flag, latest.exposure)),
    )


def place(flag: FeatureFlag, *, several: bool = True) -> str:
    """«acme/app, production» for a project's flag; the instance's name where there are several."""
    parts = [flag.project.path, flag.environment] if flag.project else []
    return ", ".join([*parts, *([flag.instance.name] if several else [])])


def default_words(flag: FeatureFlag) -> str:
    if flag.default_enabled is None:
        return ""
    return _("default on") if flag.default_enabled else _("default off")


def age_of(flag: FeatureFlag, now: datetime) -> Age:
    """«7 months of 6»: since the release that brought it, against what its type may live."""
    lived = lifetime(flag.type, flag.milestone, now)
    if lived is None:
        return Age(_("age not known"))
    still_exists = flag.presence != Presence.UNKNOWN
    return Age(_age_words(lived), lived.months, lived.limit, lived.is_overdue and still_exists)


def _age_words(lived: Lifetime) -> str:
    months = ngettext("%(n)d month", "%(n)d months", lived.months) % {"n": lived.months}
    if lived.limit is None:
        return months
    if lived.is_reviewed:
        return _("%(age)s, reviewed yearly") % {"age": months}
    return _("%(age)s of %(limit)d") % {"age": months, "limit": lived.limit}


def carriers(flag: FeatureFlag) -> Iterable[Carrier]:
    for rollout in sorted(flag.rollouts.all(), key=lambda one: (one.is_over, one.title)):
        drift = Drift(rollout.drift)
        message = spoken(drift.words) if drift is not Drift.NONE and not rollout.is_over else ""
        yield Carrier(rollout.title, rollout.get_absolute_url(), message)


def warnings(flag: FeatureFlag, exposure: Exposure | None) -> Iterable[str]:
    """What GitLab's own rules say against how the flag is set or defined."""
    if exposure is not None and flag.presence == Presence.SET:
        if exposure.percentage_of_time:
            yield _("Percentage of time is deprecated by GitLab: each check flips anew, and it satisfies no step.")
        if leaves_actorless_code_off(exposure):
            yield _("100 % of actors, not on for everyone: code that asks without an actor stays off.")
        if exposure.boolean and exposure.opt_outs:
            n = len(exposure.opt_outs)
            yield ngettext("%(n)d actor is opted out.", "%(n)d actors are opted out.", n) % {"n": n}
    if flag.default_enabled and flag.type in NEVER_ON_BY_DEFAULT:
        yield _("On by default, which GitLab does not allow for flags of type %(type)s.") % {"type": flag.type}


def unlinked(known: AllFlags) -> Unlinked:
    """Flags without a rollout issue, flags of ours without a plan, rollouts whose flag GitLab does not know, and
    closed issues of rollouts that go on. Six queries; no title of an issue, for some are confidential.
    """
    without_issue = FeatureFlag.objects.filter(WITHOUT_ISSUE).count()
    without_plan = FeatureFlag.objects.filter(known.without_a_plan()).count()
    missing = Rollout.objects.open().filter(flag__presence=Presence.UNKNOWN.value).select_related("flag")
    links = RolloutIssue.objects.filter(issue__state="closed", issue__found=True, rollout__state__in=GOING_ON)
    links = links.select_related("rollout", "issue__project__instance").order_by("rollout__title", "role", "pk")
    return Unlinked(
        without_issue=without_issue,
        without_plan=without_plan,
        unknown=tuple(missing.order_by("title", "pk")[:MOST_NAMED]),
        unknown_count=missing.count(),
        closed=tuple(links[:MOST_NAMED]),
        closed_count=links.count(),
    )
