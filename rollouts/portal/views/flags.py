"""Feature flags: gates in words, readings over time, age, who is in."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ...audit.actor import Actor
from ...models import FeatureFlag, clock
from ...models.flags import PRESENCES
from ...rules.blockers import Blocker
from ...rules.exposure import Exposure
from ...rules.phrases import spoken
from ...services import locks, readings
from ...services.lists.asked import Asked
from ...services.lists.flags import FlagFilter
from ...services.refusals import Refused
from ...services.who_is_in import LONGEST, judge
from .. import lists, live, refusals
from ..answers import SeeOther, download
from ..presenters import flag_page, who_is_in
from ..presenters import flags as present

PER_PAGE = 50
READINGS_PER_PAGE = 25
#: A list of 1,000 actors takes some 40 kB; nobody means more than this.
LARGEST_LIST = 400_000


@require_safe
def flags(request: HttpRequest) -> HttpResponse:
    now, asked = clock.now(), FlagFilter(request.GET)
    page = asked.numbered(PER_PAGE, asked.in_order())
    headings = {
        "name": _("Flag"),
        "read": _("In GitLab"),
        "group": _("Definition"),
        "age": _("Age against its type’s lifetime"),
        "rollout": _("Rollout"),
    }
    context = {
        "page": page,
        "rows": [present.row(flag, asked.known, now) for flag in page],
        "presences": PRESENCES,
        "columns": lists.columns(request, asked, headings),
        "unlinked": present.unlinked(asked.known),
    }
    return lists.answer(request, "portal/flags.html", context, asked)


@require_safe
def flag(request: HttpRequest, pk: int) -> HttpResponse:
    """The page; ``?actor=`` asks who is in. What can't be answered is said, with 422."""
    found = get_object_or_404(FeatureFlag.objects.for_list(), pk=pk)
    asked = request.GET.get("actor", "").strip()
    if not asked:
        return _page(request, found)
    answer = judge(found, [asked])[0]
    status = 422 if answer.wrong and not live.is_asked(request) else 200
    return _page(request, found, actor_asked=asked[:LONGEST], answer=answer, status=status)


@require_POST
def who(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Who of a list is in, as a table or as CSV. Changes nothing; by POST because the list is long."""
    flag = get_object_or_404(FeatureFlag.objects.for_list(), pk=pk)
    try:
        text = request.POST.get("actors", "")
        if len(text) > LARGEST_LIST:
            raise RequestDataTooBig
        asked = who_is_in.split(text)
    except RequestDataTooBig:
        message = _("The list is too long to be read. Send %(most)s actors at most.") % {"most": f"{who_is_in.MOST:,}"}
        return _page(request, flag, list_wrong=message, status=413)
    except who_is_in.TooMany as too_many:
        return _page(request, flag, list_wrong=str(too_many), status=413)
    if not asked:
        message = _("The list is empty. Write one actor a line: 42, User:42 or user:alice.")
        return _page(request, flag, list_wrong=message, status=422)
    answers = judge(flag, asked)
    if request.POST.get("as") == "csv":
        return download(f"who-is-in-{flag.name}.csv", who_is_in.as_csv(answers), "text/csv")
    return _page(request, flag, list_asked="\n".join(asked), answers=answers, counted=who_is_in.counted(answers))


@require_POST
def enter_reading(request: HttpRequest, pk: int) -> HttpResponse:
    """A reading by hand, with evidence. Refused: the same page says why, and nothing changed."""
    flag = get_object_or_404(FeatureFlag.objects.for_list(), pk=pk)
    inputs = {
        name: request.POST.get(name, "").strip()[:5_000] for name in ("percentage", "groups", "actors", "evidence")
    }
    try:
        exposure = Exposure.from_gates(
            [
                ("boolean", "everyone" in request.POST),
                ("percentage_of_actors", inputs["percentage"] or 0),
                ("groups", inputs["groups"].split()),
                ("actors", inputs["actors"].split()),
            ]
        )
        readings.enter(flag, exposure, by=Actor.of(request.user), evidence=inputs["evidence"])
    except ValueError as error:
        wrong = _("%(what)s. Write a number from 0 to 100.") % {"what": spoken(str(error))}
        return _page(request, flag, Refused([Blocker("not_written", wrong)]))
    except Refused as refused:
        return _page(request, flag, refused)
    messages.success(request, _("The reading was kept. It goes stale like any other."))
    return SeeOther(reverse("portal:flag", args=[pk]))


def _page(
    request: HttpRequest, flag: FeatureFlag, refused: Refused | None = None, *, status: int = 200, **more: Any
) -> HttpResponse:
    now, asked = clock.now(), Asked(request.GET, flag.readings.all())
    context = {
        "flag": flag,
        "latest": flag.as_listed,
        "shown": flag_page.build(flag, now, locks.standing(now)),
        "page": asked.numbered(READINGS_PER_PAGE),
        "most": who_is_in.MOST,
        **refusals.told(refused),
        **more,
    }
    return lists.answer(request, "portal/flag.html", context, asked, refused.status if refused else status)
