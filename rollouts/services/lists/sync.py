"""The sync page, asked for one pass or one delivery: what the history says was behind an event."""

from __future__ import annotations

from ...models import HookDelivery, SyncRun
from ...rules.phrases import later
from .asked import Asked, Known


def _pass(number: str) -> SyncRun | None:
    return SyncRun.objects.filter(pk=number).first() if _is_number(number) else None


def _delivery(number: str) -> HookDelivery | None:
    return HookDelivery.objects.select_related("instance").filter(pk=number).first() if _is_number(number) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


class SyncFilter(Asked):
    pass_ = Known(_pass, later("There is no pass {written}, or it is not kept any more."))
    delivery = Known(_delivery, later("There is no delivery {written}, or it is not kept any more."))
