"""``/audit/``: who did what, when, from where, and why."""

from __future__ import annotations

from datetime import date

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ...audit import tombstones
from ...audit.actor import Actor
from ...audit.source import SOURCES
from ...models import AuditEvent, Checkpoint, Rollout, Verification
from ...services import known_people, views
from ...services.lists.history import HistoryFilter
from ...sync import copies
from .. import lists
from ..presenters import history as present
from ..presenters import looked_up

#: So many rollouts, the newest, are offered while one types; any other can be written.
MOST_ROLLOUTS = 200
PER_PAGE = 50
#: So many checkpoints are listed, the newest.
CHECKPOINTS = 50


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """Filters in the address, keyset pages; days are of the reader's zone. A time that is none: 422, and which."""
    viewer = Actor.of(request.user)
    sees = viewer.sees_confidential
    history_filter = HistoryFilter(request.GET, sees=sees, zone=timezone.get_current_timezone())
    asked, found = history_filter.asked, history_filter.find(PER_PAGE, "before")
    rows = looked_up.rows(found.page.rows, sees=sees)
    context = {
        "rows": rows,
        "page": found.page,
        "found": found,
        "named": looked_up.named(asked),
        "saved": views.of(viewer, views.Page.AUDIT),
        "verification": Verification.objects.first(),
        "gone_before": tombstones.gone_before(),
        "days": {name: asked[name] and not _is_day(asked[name]) for name in ("since", "until")},
        **_choices(asked),
    }
    return lists.answer(request, "portal/audit.html", context, history_filter)


@require_safe
def proof(request: HttpRequest) -> HttpResponse:
    """What verifying the history found last, and the checkpoints to keep elsewhere."""
    checkpoints = list(Checkpoint.objects.defer("nodes")[:CHECKPOINTS])
    context = {
        "verification": Verification.objects.first(),
        "checkpoints": checkpoints,
        "newest": checkpoints[0] if checkpoints else None,
        "copies": copies.standing() if Actor.of(request.user).sees_confidential else [],
    }
    return render(request, "portal/proof.html", context)


@require_safe
def checkpoint(request: HttpRequest, size: int) -> HttpResponse:
    """A signed checkpoint, as it is kept elsewhere and given to ``audit verify``."""
    return HttpResponse(get_object_or_404(Checkpoint, size=size).note, content_type="text/plain; charset=utf-8")


def _choices(asked: dict[str, str]) -> dict[str, object]:
    """What there is to choose from; what was asked for stands there too, so that the form says it."""
    verbs, sources = AuditEvent.objects.known("verb"), AuditEvent.objects.known("source")
    rooms = {verb.partition(".")[0] for verb in verbs}
    if asked["verb"] and asked["verb"] not in rooms:
        verbs = [*verbs, asked["verb"]]
    if asked["source"] in SOURCES and asked["source"] not in sources:
        sources = [*sources, asked["source"]]
    return {
        "kinds": present.kinds(dict.fromkeys(verbs)),
        "sources": [(source, present.SOURCES.get(source, source)) for source in sources],
        "people": _people(),
        "rollouts": list(Rollout.objects.order_by("-pk").values_list("slug", "title")[:MOST_ROLLOUTS]),
    }


def _people() -> dict[str, str]:
    """Whoever is in the history, with words who it is."""
    names = AuditEvent.objects.known("actor")
    labels = known_people.offered(User.objects.filter(username__in=names))
    return {name: labels.get(name, name) for name in names}


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
