"""Notices as mails: in the person's language and zone, as text and as HTML that looks like the portal.

A template that lacks a value makes no mail at all (``MissingValue``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.template import engines
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext

from ..models import Notice, OwedChat, OwedMail, clock
from ..rules.notices import KIND_WORDS, Kind
from ..rules.phrases import say, shorten, spoken
from ..rules.zones import zone
from ..services import notices as services
from ..services import wishes as wishes_of
from .presenters import notices as present
from .style import tokens

SALT = "rollouts.unsubscribe"
LONGEST_SUBJECT = 150
#: A digest of more says how many more there are.
MOST_PARTS = 50
_MISSING = re.compile(settings.MISSING_VALUE.replace("%s", "(.*?)"))


class MissingValue(ValueError):
    """A template asks for what there is not."""


@dataclass(frozen=True, slots=True)
class Part:
    """One notice in a mail: ``lead`` is its first line, with what, which rollout, what to do and by when."""

    lead: str
    reason: str
    url: str
    at: str
    kind: str


def compose(mails: Sequence[OwedMail]) -> EmailMultiAlternatives:
    """The mail of one notice, or of all of a digest; they are of one person."""
    person = mails[0].notice.person
    chosen = wishes_of.of(person)
    with translation.override(chosen.language), timezone.override(zone(chosen.zone)):
        placed = services.placed(mail.notice for mail in mails)
        placed.sort(key=lambda one: one.notice.event_id)
        parts = [_part(one) for one in placed[-MOST_PARTS:]]
        if mails[0].in_digest:
            subject = gettext("What happened until %(day)s") % {"day": date_format(timezone.localtime(clock.now()))}
            name = f"digest-{max(mail.pk for mail in mails)}"
            more = len(placed) - len(parts)
            return _mail(person, subject, parts, wishes_of.ALL_DIGESTS, name, None, more)
        notice = placed[0].notice
        subject = present.told([notice])[0].what
        thread = f"rollout-{notice.event.rollout_id}" if notice.event.rollout_id else "portal"
        return _mail(person, spoken(subject), parts, notice.kind, f"notice-{notice.event_id}-{person.pk}", thread)


def line(owed: OwedChat) -> tuple[str, str]:
    """For a chat: what, which rollout and what to do, in English, and where the button is."""
    with translation.override(settings.LANGUAGE_CODE), timezone.override(UTC):
        notice = Notice(event=owed.event, kind=owed.kind, about=owed.about, at=owed.event.at)
        (placed,) = services.placed([notice])
        part = _part(placed)
    return part.lead, part.url


def _part(one: services.Placed) -> Part:
    what = present.told([one.notice])[0].what
    if one.until is not None:
        until = date_format(timezone.localtime(one.until), gettext("j M H:i"))
        lead = say("{what}. {to_do} By {until}.", what=what, to_do=one.to_do, until=until)
    else:
        lead = say("{what}. {to_do}", what=what, to_do=one.to_do)
    event = one.notice.event
    return Part(
        _line(spoken(lead)),
        spoken(event.in_words("reason")) if event.reason else "",
        f"{settings.PORTAL_URL}{one.url}",
        date_format(timezone.localtime(one.notice.at), gettext("j M H:i")),
        spoken(KIND_WORDS[Kind(one.notice.kind)]),
    )


def _mail(
    person: Any, subject: str, parts: list[Part], kind: str, name: str, thread: str | None, more: int = 0
) -> EmailMultiAlternatives:
    host = urlsplit(settings.PORTAL_URL).hostname or "localhost"
    unsubscribe = f"{settings.PORTAL_URL}{reverse('portal:unsubscribe', args=[token(person, kind)])}"
    subject = shorten(_line(subject), LONGEST_SUBJECT)
    values = {
        "subject": subject,
        "parts": parts,
        "is_digest": thread is None,
        "more": more,
        "list": f"{settings.PORTAL_URL}{reverse('portal:notices')}",
        "why": parts[0].kind,
        "zone": timezone.get_current_timezone_name(),
        "language": translation.get_language(),
        "unsubscribe": unsubscribe,
        "choose": f"{settings.PORTAL_URL}{reverse('portal:notice_settings')}",
        "portal": settings.PORTAL_URL,
        **{theme: _by_name(colours) for theme, colours in tokens.declared().items()},
    }
    headers = {
        "Message-ID": f"<{name}@{host}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "List-Unsubscribe": f"<{unsubscribe}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    if thread is not None:  # a root that nobody was sent: all mails of a rollout answer it
        headers["In-Reply-To"] = headers["References"] = f"<{thread}@{host}>"
    mail = EmailMultiAlternatives(subject, written("mail/notice.txt", values), to=[person.email], headers=headers)
    mail.attach_alternative(written("mail/notice.html", values), "text/html")
    return mail


def _by_name(colours: Mapping[str, str]) -> dict[str, str]:
    """As a template can name them."""
    return {name.replace("-", "_"): value for name, value in colours.items()}


def written(template: str, values: Mapping[str, Any]) -> str:
    """What the template makes of them. Raises ``MissingValue`` rather than leave a gap."""
    text = engines["mail"].get_template(template).render(dict(values))
    if lacks := _MISSING.findall(text):
        raise MissingValue(f"{template} lacks {', '.join(lacks)}")
    return text.strip() + "\n"


def token(person: Any, kind: str) -> str:
    return signing.dumps([person.pk, kind], salt=SALT, compress=True)


def read_token(text: str) -> tuple[int, str]:
    """Whose, and of what. Raises ``signing.BadSignature``."""
    pk, kind = signing.loads(text, salt=SALT)
    return int(pk), str(kind)


def _line(text: str) -> str:
    """On one line: a title may hold anything."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
