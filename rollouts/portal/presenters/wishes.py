"""The page on which somebody chooses how they are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from ...models import NoticeSettings
from ...rules.notices import GROUPS, KIND_WORDS, Kind
from ...rules.telling import WHEN_WORDS, When
from ...services import wishes as services


@dataclass(frozen=True, slots=True)
class Row:
    kind: str
    words: str
    mail: str
    bell: str


def page(person: Any, row: NoticeSettings) -> dict[str, Any]:
    now = services.chosen(row)
    hours = [(hour, f"{hour:02}:00") for hour in range(24)]
    return {
        "groups": [(words, [_row(kind, now) for kind in kinds]) for words, kinds in GROUPS],
        "whens": list(WHEN_WORDS.items()),
        "rings": [(When.NOW.value, gettext("at once")), (When.OFF.value, gettext("not"))],
        "hours": hours,
        "chosen": now,
        "languages": settings.LANGUAGES,
        "sends_mail": settings.SENDS_MAIL,
        "address": person.email,
    }


def _row(kind: Kind, now: services.Chosen) -> Row:
    return Row(kind.value, KIND_WORDS[kind], now.by_mail[kind.value], now.by_bell[kind.value])
