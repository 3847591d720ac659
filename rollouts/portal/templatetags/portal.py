"""The few words that templates need a function for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from django import template
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext

from ...models import AuditEvent, clock
from ...rules.blockers import in_words
from ...rules.comparison import BESIDE_WORDS, Beside
from ...rules.phrases import say
from ...rules.phrases import spoken as in_readers_language
from ...rules.user_names import is_a_person
from ...services import checklist
from ..charts.track import Part, Track
from ..presenters import history

register = template.Library()
#: Django's sheets that ``django.css`` brings on the lowest layer, and styles within a page, which our policy refuses.
_BROUGHT_BELOW = re.compile(
    r'<link rel="stylesheet" href="[^"]*admin/css/(?:changelists|dashboard|forms)(?:\.\w+)?\.css">|<style>.*?</style>',
    re.S,
)


@register.filter(is_safe=True)
def brought_below(links: str) -> str:
    """What a page of Django's admin links, without the sheets that would lie over the portal's own."""
    return _BROUGHT_BELOW.sub("", links)


@register.simple_tag
def age(moment: datetime | None, missing: str = "") -> SafeString | str:
    """«3 h ago», with the exact time in reach."""
    if moment is None:
        return missing or gettext("never")
    here, gone = localtime(moment), say("{length} ago", length=in_words(clock.now() - moment, units=1))
    return format_html(
        '<time datetime="{}" title="{}" data-at="{}" data-ago>{}</time>',
        moment.isoformat(),
        _exactly(here),
        _on_paper(here),
        gone,
    )


@register.filter
def length_of(span: timedelta | float) -> str:
    """«4 d 3 h», of seconds too."""
    return in_readers_language(in_words(span if isinstance(span, timedelta) else timedelta(seconds=span)))


@register.simple_tag
def since(moment: datetime) -> SafeString:
    """«since 14:02», with the day where it is not today."""
    here, today = localtime(moment), localtime(clock.now()).date()
    message = f"{here:%H:%M}" if here.date() == today else _on_paper(here)
    time = format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), _exactly(here), message)
    return format_html(gettext("since {}"), time)


@register.simple_tag
def waiting(moment: datetime) -> SafeString:
    """«for 3 h», with since when in reach."""
    return format_html(gettext("for {}"), lasting(moment))


@register.simple_tag
def phase_track(track: Track, look: str = "") -> SafeString:
    """The portal's emblem as a picture, with its words for those who can't see it."""
    return format_html(
        '<svg class="track {}" viewBox="0 0 {} 10" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        look,
        round(track.width),
        track.words,
        _shapes(track.parts),
    )


@lru_cache(maxsize=4096)
def _shapes(parts: tuple[Part, ...]) -> SafeString:
    return mark_safe("".join(map(_shape, parts)))  # noqa: S308 (numbers and names of looks, all our own)


def _shape(part: Part) -> str:
    bar = '<rect class="{}" x="{:g}" width="{:g}" height="10" rx="3"/>'
    shapes = []
    if part.look == "back":
        shapes.append(f'<rect class="back" x="{part.x:g}" y="3" width="{part.width:g}" height="4" rx="2"/>')
    elif part.look != "skip":
        shapes.append(bar.format("now-ground" if part.look in ("now", "off") else "ground", part.x, part.width))
    if part.filled:
        shapes.append(bar.format(part.look, part.x, part.filled))
    if part.cuts:
        shapes.append(f'<path class="cut" d="{"".join(f"M{cut:g} 0v10" for cut in part.cuts)}"/>')
    if part.hatches:
        shapes.append(f'<path class="skip" d="{"".join(f"M{x:g} 10l4-10" for x in part.hatches)}"/>')
    return "".join(shapes)


@register.simple_tag
def lasting(moment: datetime | None) -> SafeString | str:
    """«4 d»: how long since, with the exact time in reach."""
    if moment is None:
        return ""
    here, lasted = localtime(moment), in_words(clock.now() - moment, units=1)
    return format_html(
        '<time datetime="{}" title="{}" data-at="{}" data-for>{}</time>',
        moment.isoformat(),
        say("since {moment}", moment=_exactly(here)),
        _on_paper(here),
        lasted,
    )


def _exactly(here: datetime) -> str:
    """A moment in the viewer's zone, to the second, with the zone."""
    return f"{_days(here.date(), get_language())[0]} {here:%H:%M:%S %Z}"


def _on_paper(here: datetime) -> str:
    """A moment in the viewer's zone as it is printed beside its age, where no pointer can ask for it."""
    return f"{_days(here.date(), get_language())[1]} {here:%H:%M}"


@lru_cache(maxsize=4096)
def _days(day: date, _language: str | None) -> tuple[str, str]:
    """The day with its year and without: a page says few days many times."""
    return date_format(day, "SHORT_DATE_FORMAT"), date_format(day, gettext("j M"))


@register.simple_tag
def besides() -> dict[str, object]:
    """What a comparison with the baseline is asked, and what may be said."""
    return {"asked": checklist.COMPARED.items(), "choices": [(str(one), BESIDE_WORDS[one]) for one in Beside]}


@register.filter
def sentence(event: AuditEvent) -> str:
    return history.sentence(event)


@register.filter
def who(event: AuditEvent) -> str:
    """Who did it, with the way to their page."""
    return person(event.actor) if event.actor_kind == AuditEvent.ActorKind.PERSON else history.who(event)


@register.filter
def person(name: str) -> SafeString | str:
    """Whoever is called so, with the way to their page; a job and a user of the operating system have none."""
    if not is_a_person(name):
        return name
    return format_html('<a href="{}">{}</a>', reverse("portal:person", args=[name]), name)


@register.filter
def gitlab_users(names: Iterable[str], known: Mapping[str, str]) -> SafeString:
    """Users of GitLab by their names there: ``known`` are those who are somebody here, with what they are called."""
    parts = [(reverse("portal:person", args=[known[name]]), name) for name in names if name in known]
    linked = {name: format_html('<a href="{}">{}</a>', url, name) for url, name in parts}
    return format_html_join(", ", "{}", ((linked.get(name, name),) for name in names))


@register.filter
def why(event: AuditEvent) -> str:
    return str(event.in_words("reason"))


@register.filter
def span(length: timedelta) -> str:
    """«1 d 4 h»"""
    return in_words(length)


@register.filter
def spoken(words: object) -> str:
    """A phrase of the rules as plain text in the reader's language, for other filters and attributes of scripts."""
    return in_readers_language(str(words))


@register.filter
def spaced(name: str) -> str:
    return name.replace("_", " ")


@register.filter
def coded(words: str) -> SafeString:
    """What stands between backticks is code."""
    parts = conditional_escape(words).split("`")
    return mark_safe("".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts)))  # noqa: S308


@register.filter
def unstopped(sentence: str) -> str:
    """Without its full stop, where more words follow on the line."""
    return in_readers_language(sentence).removesuffix(".")


@register.filter
def initials(name: str) -> str:
    return name.removeprefix("os:")[:2].upper()


@register.simple_tag(takes_context=True)
def in_force(context: dict[str, Any], names: str) -> int:
    """How many of these filters, their names with blanks between, the page's address asks for."""
    return sum(bool(context["request"].GET.get(name)) for name in names.split())
