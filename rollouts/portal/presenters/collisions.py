"""Collisions in words, each with links to the rollouts, numbered as the rows mark them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.humanize.templatetags.humanize import intcomma
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ...rules.collisions import SameDay, SharedQuota, same_day, shared_quotas
from ...rules.schedule import Certainty, Schedule
from ...services.schedules import Scheduled
from ..charts.timeline import Axis, midnight

#: So many are told; of a crowd, the days that are still to come go first.
MOST = 40
NAMED = 5


@dataclass(frozen=True, slots=True)
class Collision:
    """``at`` is where each rollout's row is marked. ``is_ahead``: there is still something to be done about it."""

    number: int
    words: SafeString
    at: dict[str, datetime]
    is_ahead: bool
    is_short: bool = False


def collisions(scheduled: Sequence[Scheduled], axis: Axis, now: datetime) -> list[Collision]:
    """Of these rollouts within the window: quotas that are too small, then days, those to come first."""
    by_slug = {each.slug: each for each in scheduled}
    schedules = {slug: each.schedule for slug, each in by_slug.items()}
    days = same_day(schedules, axis.zone, axis.since, axis.until)
    shared = shared_quotas([each.demand for each in scheduled], schedules, axis.since, axis.until)
    clashes: list[SameDay | SharedQuota] = [
        *(each for each in shared if each.is_short),
        *(each for each in days if each.is_ahead),
        *(each for each in shared if not each.is_short),
        *(each for each in reversed(days) if not each.is_ahead),
    ]
    return [
        _same_day(number, each, by_slug, axis) if isinstance(each, SameDay) else _shared(number, each, by_slug, now)
        for number, each in enumerate(clashes[:MOST], start=1)
    ]


def _same_day(number: int, same_day: SameDay, by_slug: dict[str, Scheduled], axis: Axis) -> Collision:
    names = _names(same_day.slugs, by_slug)
    day = date_format(same_day.day, _("D j M"))
    if same_day.is_ahead:
        message = _("{names} both widen on {day}.") if len(same_day.slugs) == 2 else _("{names} all widen on {day}.")
    else:
        message = (
            _("{names} both widened on {day}.") if len(same_day.slugs) == 2 else _("{names} all widened on {day}.")
        )
    at = {slug: _on_day(by_slug[slug].schedule, same_day, axis) for slug in same_day.slugs}
    return Collision(number, format_html(message, names=names, day=day), at, same_day.is_ahead)


def _on_day(schedule: Schedule, same_day: SameDay, axis: Axis) -> datetime:
    return next(
        (
            moment.at
            for moment in schedule.moments
            if moment.widens
            and moment.certainty is not Certainty.EARLIEST
            and moment.at.astimezone(axis.zone).date() == same_day.day
        ),
        midnight(same_day.day, axis.zone),
    )


def _shared(number: int, shared: SharedQuota, by_slug: dict[str, Scheduled], now: datetime) -> Collision:
    row = by_slug[shared.slugs[0]].row
    given = {
        "names": _names(shared.slugs, by_slug),
        "host": row["ai_model__host"] or row["ai_model__provider"] or row["ai_model__name"],
        "quota": intcomma(shared.quota or 0),
        "asked": intcomma(shared.asked),
        "share": round(shared.asked / shared.quota * 100) if shared.quota else "",
        "day": date_format(localtime(max(shared.at, now)), _("D j M")),
    }
    if shared.quota is None:
        message = _(
            "{names} share one quota at {host}, and nobody has entered how large it is: together they ask {asked} "
            "requests a minute."
        )
    elif shared.is_short:
        message = _(
            "{names} share {host}'s quota of {quota} requests a minute: together they ask {asked}, too many, by {day}."
        )
    else:
        message = _(
            "{names} share {host}'s quota of {quota} requests a minute: together they ask {asked} by {day}, "
            "{share} % of it."
        )
    words = format_html(message, **given)
    if shared.unknown:
        unsaid = ngettext(
            "What {names} asks at peak is not known.", "What {names} ask at peak is not known.", len(shared.unknown)
        )
        words = format_html("{} {}", words, format_html(unsaid, names=_names(shared.unknown, by_slug)))
    at = {slug: _widened(by_slug[slug].schedule, shared) for slug in shared.slugs}
    return Collision(number, words, at, shared.at >= now, shared.is_short)


def _widened(schedule: Schedule, shared: SharedQuota) -> datetime:
    """When this one came to ask what it then asks."""
    return max((m.at for m in schedule.moments if m.reach is not None and m.at <= shared.at), default=shared.at)


def _names(slugs: Sequence[str], by_slug: dict[str, Scheduled]) -> SafeString:
    """«A, B and C», each a link; of a crowd, the first and how many more."""
    named = slugs if len(slugs) <= NAMED else slugs[: NAMED - 1]
    links = [
        format_html('<a href="{}">{}</a>', reverse("portal:rollout", args=[slug]), by_slug[slug].row["title"])
        for slug in named
    ]
    if more := len(slugs) - len(named):
        links.append(format_html(ngettext("{count} more", "{count} more", more), count=more))
    if len(links) == 1:
        return links[0]
    first = format_html_join(", ", "{}", ((link,) for link in links[:-1]))
    return format_html(_("{first} and {last}"), first=first, last=links[-1])
