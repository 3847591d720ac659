"""The few words that templates need a function for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from ...models import AuditEvent, clock
from ...rules.blockers import in_words
from ...rules.words import spoken as in_readers_language
from ..presenters import history

register = template.Library()


@register.simple_tag
def age(moment: datetime | None, missing: str = "never") -> SafeString | str:
    """«3 h ago», with the exact time in reach."""
    if moment is None:
        return missing
    gone = clock.now() - moment
    said = " ".join(in_words(gone).split()[:2])
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{} ago</time>', moment.isoformat(), exactly(moment), said
    )


@register.simple_tag
def lasting(moment: datetime | None) -> SafeString | str:
    """«4 d»: how long since, with the exact time in reach."""
    if moment is None:
        return ""
    said = " ".join(in_words(clock.now() - moment).split()[:2])
    return format_html(
        '<time datetime="{}" title="since {}" data-for>{}</time>', moment.isoformat(), exactly(moment), said
    )


def exactly(moment: datetime) -> str:
    """The moment in the viewer's zone, to the second, with the zone."""
    return f"{localtime(moment):%-d %b %Y %H:%M:%S %Z}"


@register.filter
def sentence(event: AuditEvent) -> str:
    return history.sentence(event)


@register.filter
def who(event: AuditEvent) -> str:
    return history.who(event)


@register.filter
def span(length: timedelta) -> str:
    """«1 d 4 h»"""
    return in_words(length)


@register.filter
def spoken(words: str) -> str:
    """A phrase of the rules as plain text in the reader's language, for other filters and attributes of scripts."""
    return in_readers_language(words)


@register.filter
def spaced(name: str) -> str:
    return name.replace("_", " ")


@register.filter
def initials(name: str) -> str:
    return name.removeprefix("os:")[:2].upper()


@register.simple_tag(takes_context=True)
def with_query(context: dict[str, Any], **changes: Any) -> str:
    """The page's address with some of its query changed; an empty value takes a key out."""
    query = context["request"].GET.copy()
    for key, value in changes.items():
        query.pop(key, None)
        if value not in ("", None):
            query[key] = value
    return f"?{query.urlencode()}"
