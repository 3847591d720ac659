"""Notices in words: what, which rollout, what to do, by when, and where the button is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from ...models import ApprovalRequest, Notice, Phase
from ...rules.approvals import STANDING
from ...rules.notices import TELLS, Kind
from . import history


@dataclass(frozen=True, slots=True)
class Told:
    pk: int
    kind: str
    what: str
    to_do: str
    until: datetime | None
    url: str
    at: datetime
    is_unread: bool
    rollout: str | None


def told(notices: Iterable[Notice]) -> list[Told]:
    """Two queries, whatever the rows."""
    rows = list(notices)
    phases = {int(row.event.object_id) for row in rows if row.event.object_type == "Phase"}
    names = {str(pk): name for pk, name in Phase.objects.filter(pk__in=phases).values_list("pk", "name")}
    asked = ApprovalRequest.objects.filter(phase__in=phases, state__in=sorted(STANDING))
    until = {str(phase): (pk, at) for pk, phase, at in asked.values_list("pk", "phase", "expires_at")}
    return [_told(row, names, until) for row in rows]


def _told(row: Notice, names: dict[str, str], until: dict[str, tuple[int, datetime]]) -> Told:
    event, tells = row.event, TELLS[row.event.verb]
    request, expires_at = until.get(event.object_id, (None, None)) if event.object_type == "Phase" else (None, None)
    if event.rollout is None:
        url = reverse("portal:sync")
    elif tells.anchor or request is None:
        at_phase = (tells.anchor or "#phase-{phase}").format(phase=names.get(event.object_id, ""))
        url = event.rollout.get_absolute_url() + at_phase
    else:
        url = f"{reverse('portal:approvals')}#request-{request}"
    return Told(
        row.pk,
        row.kind,
        history.event_line(event),
        tells.to_do,
        expires_at if row.kind in (Kind.ASKED, Kind.VOID) else None,
        url,
        row.at,
        row.read_at is None,
        event.rollout.slug if event.rollout else None,
    )
