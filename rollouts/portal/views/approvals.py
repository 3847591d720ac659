"""``/approvals/``: what waits for me, what I asked for, what I decided; to decide here, by hand or by keyboard."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from ...audit.actor import Actor
from ...models import ApprovalRequest, Override, Rollout, Waiver, clock, keyset
from ...rules.blockers import HERE
from ...rules.machine import PHASE_VERBS
from ...rules.offers import ABOUT_A_REQUEST
from ...rules.people import SIGN_IN_ANEW, SIGN_IN_OLD
from ...rules.phrases import say, spoken
from ...rules.waivers import WaiverState
from ...services import locks, transitions
from ...services.lists.asked import Asked
from ...services.refusals import Refused
from .. import lists, refusals
from ..answers import SeeOther
from ..presenters import inbox as present
from ..presenters import waivers


@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(
    request: HttpRequest, refused: Refused | None = None, rollout: Rollout | None = None, what: str = ""
) -> HttpResponse:
    viewer, now, address = Actor.of(request.user), clock.now(), Asked(request.GET, present.waiting())
    with keyset.snapshot():  # each rollout of the page with its request, whatever is decided meanwhile
        page = address.page(present.BY_TITLE, present.PAGE)
    mine, asked, others = present.cards(viewer, page.rows, now, locks.standing(now))
    status, here = refused.status if refused else 200, reverse("portal:approvals")
    context = {
        "groups": [
            (gettext("Waits for you"), mine),
            (gettext("You asked for it"), asked),
            (gettext("Waits for others"), others),
        ],
        "mine": mine,
        "page": page,
        "is_part": bool(page.next or page.previous),
        "decided": present.decided_by(viewer),
        "reviews": Override.objects.filter(reviewed_at=None).select_related("phase__rollout").order_by("due_at"),
        "waivers": waivers.shown(Waiver.objects.with_what().filter(state=WaiverState.ASKED), viewer, now),
        "now": now,
        "sign_in_anew": SIGN_IN_ANEW.replace(HERE, here),
        "sign_in_old": SIGN_IN_OLD,
        **refusals.told(refused, rollout, what, here),
    }
    return lists.answer(request, "portal/approvals.html", context, address, status)


@require_POST
def decide(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Approve, reject or withdraw this very request from the inbox; the same service as everywhere."""
    asked: ApprovalRequest = get_object_or_404(ApprovalRequest.objects.select_related("phase__rollout"), pk=pk)
    if verb not in ABOUT_A_REQUEST:
        raise Http404(f"There is no {verb} of a request.")
    what = say("{phase} of {rollout}", phase=asked.phase, rollout=asked.phase.rollout)
    try:
        inputs = {**transitions.said_in(request.POST), "request": pk}
        transitions.perform(verb, asked.phase, by=Actor.of(request.user), **inputs)
    except Refused as refused:
        title = say("{verb}: {what}", verb=PHASE_VERBS[verb].label, what=what)
        return _page(request, refused, asked.phase.rollout, title)
    messages.success(request, spoken(say("You {did}.", did=PHASE_VERBS[verb].did(what))))
    return SeeOther(reverse("portal:approvals"))
