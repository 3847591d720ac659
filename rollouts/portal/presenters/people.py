"""Who stands behind a rollout: what was asked for, by whom, and who said yes or no, with dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch

from ...models import Approval, ApprovalRequest, Rollout
from ...rules import ways

#: So many requests are shown, the newest.
SHOWN = 10


@dataclass(frozen=True, slots=True)
class PastRequest:
    """One request: what for, who asked, who approved it as it was asked for last, how it ended."""

    what: str
    state: str
    look: str
    by: str
    at: datetime
    approvals: tuple[tuple[str, datetime, str], ...]
    closed_by: str
    closed_at: datetime | None
    reason: str


def asked_of(rollout: Rollout) -> tuple[tuple[PastRequest, ...], bool]:
    """The newest requests, and whether there are older ones; two queries."""
    requests = (
        ApprovalRequest.objects.filter(phase__rollout=rollout)
        .select_related("phase")
        .prefetch_related(Prefetch("approvals", Approval.objects.order_by("at", "pk")))
        .order_by("-requested_at", "-pk")
    )
    return shown(list(requests[: SHOWN + 1]))


def shown(newest: Sequence[ApprovalRequest]) -> tuple[tuple[PastRequest, ...], bool]:
    """Requests with their approvals, the newest first: those that are shown, and whether there are older ones."""
    return tuple(_asked(request) for request in newest[:SHOWN]), len(newest) > SHOWN


def _asked(request: ApprovalRequest) -> PastRequest:
    looks = {"granted": "go", "used": "go", "rejected": "stop", "open": "wait"}
    return PastRequest(
        what=str(request),
        state=request.get_state_display(),
        look=looks.get(request.state, ""),
        by=request.requested_by,
        at=request.requested_at,
        approvals=tuple(
            (one.approver, one.at, ways.in_words(one.source, one.way))
            for one in request.approvals.all()
            if request.carried.get(one.digest, one.digest) == request.digest
        ),
        closed_by=request.closed_by if request.state in ("rejected", "withdrawn") else "",
        closed_at=request.closed_at,
        reason=request.reason,
    )
