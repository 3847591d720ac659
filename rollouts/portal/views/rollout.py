"""One rollout: look at it, take transitions, confirm items."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ...audit.actor import Actor
from ...models import ChecklistItem, GitLabWrite, Override, Phase, Rollout, clock
from ...rules import offers
from ...rules.machine import PHASE_VERBS, ROLLOUT_VERBS
from ...rules.phrases import later, say, spoken
from ...services import dry_run, facts, items, metrics, outbox, overrides, transitions, waivers, wishes
from ...services.refusals import Refused
from .. import refusals
from ..answers import SeeOther
from ..presenters import rollout_page


def _whole(slug: str) -> Rollout:
    return get_object_or_404(Rollout.objects.whole(), slug=slug)


def _page(request: HttpRequest, slug: str, refused: Refused | None = None, what: str = "") -> HttpResponse:
    whole, viewer, now = _whole(slug), Actor.of(request.user), clock.now()
    page = rollout_page.build(whole, viewer, now)
    context = {
        "page": page,
        "rollout": whole,
        **refusals.told(refused, whole, what),
        "overdue": page.facts.is_overdue,
        "now": now,
        "follows": wishes.followed(request.user, whole),
        "may_review": overrides.reviewable(whole, viewer),
    }
    return render(request, "portal/rollout.html", context, status=refused.status if refused else 200)


@require_safe
def rollout(request: HttpRequest, slug: str) -> HttpResponse:
    return _page(request, slug)


@require_http_methods(["GET", "HEAD", "POST"])
def transition(request: HttpRequest, slug: str, phase: str, verb: str) -> HttpResponse:
    """GET: a dry run. POST: what a button does; refused: 409 (403 if only the role is lacking), nothing changed."""
    current = next((p for p in facts.newest_attempts(_whole(slug)) if p.name == phase), None)
    if current is None or verb not in PHASE_VERBS:
        raise Http404(f"There is no {verb} of {phase}.")
    rule = PHASE_VERBS[verb]
    if request.method != "POST":
        return _try_row(request, current, verb)
    try:
        done = transitions.perform(
            verb,
            current,
            by=Actor.of(request.user),
            **transitions.said_in(request.POST),
        )
    except Refused as refused:
        return _page(request, slug, refused, say("{verb}: {what}", verb=rule.label, what=current.title))
    messages.success(request, spoken(say("You {did}.", did=rule.did(done))))
    return SeeOther(reverse("portal:rollout", args=[slug]))


def _try_row(request: HttpRequest, phase: Phase, verb: str) -> HttpResponse:
    whole, viewer = _whole(phase.rollout.slug), Actor.of(request.user)
    try:
        result = dry_run.of_phase(verb, phase, by=viewer, **transitions.said_in(request.GET))
    except Refused as refused:
        what = say("{verb}: {what}", verb=PHASE_VERBS[verb].label, what=phase.title)
        return _page(request, phase.rollout.slug, refused, what)
    about = facts.for_rollout(whole, clock.now())
    action = offers.of_verb(verb, about, about.phase(phase.name), viewer.person)
    roll_backs = offers.ways_back(about, viewer.person) if verb != "roll_back" else ()
    return _told(request, whole, result, action=action, roll_backs=roll_backs)


def _dry_run_on_rollout(request: HttpRequest, whole: Rollout, verb: str) -> HttpResponse:
    viewer = Actor.of(request.user)
    try:
        reason = transitions.said_in(request.GET)["reason"]
    except Refused as refused:
        return _page(request, whole.slug, refused, ROLLOUT_VERBS[verb].label)
    told = dry_run.of_rollout(verb, whole, by=viewer, reason=reason)
    about = facts.for_rollout(whole, clock.now())
    actions = {action.verb: action for action in offers.of_rollout(about, viewer.person)}
    return _told(request, whole, told, action=actions.get(verb), roll_backs=offers.ways_back(about, viewer.person))


def _told(request: HttpRequest, whole: Rollout, result: dry_run.DryRun, **more: object) -> HttpResponse:
    blockers = [(blocker.message, blocker.url(whole.get_absolute_url())) for blocker in result.blockers]
    return render(request, "portal/dry_run.html", {"rollout": whole, "told": result, "blockers": blockers, **more})


@require_http_methods(["GET", "HEAD", "POST"])
def rollout_verb(request: HttpRequest, slug: str, verb: str) -> HttpResponse:
    """Abandon or close the whole rollout; GET: a dry run."""
    whole = _whole(slug)
    if verb not in ROLLOUT_VERBS:
        raise Http404(f"There is no {verb} of a rollout.")
    if request.method != "POST":
        return _dry_run_on_rollout(request, whole, verb)
    try:
        inputs = transitions.said_in(request.POST)
        transitions.perform_on_rollout(
            verb, whole, by=Actor.of(request.user), reason=inputs["reason"], seen=inputs["seen"]
        )
    except Refused as refused:
        return _page(request, slug, refused, ROLLOUT_VERBS[verb].label)
    messages.success(request, spoken(say("You {did}.", did=ROLLOUT_VERBS[verb].did(whole.title))))
    return SeeOther(reverse("portal:rollout", args=[slug]))


@require_POST
def confirm_item(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Confirm a checklist item with evidence, or take that back with a reason."""
    item = get_object_or_404(ChecklistItem, rollout__slug=slug, pk=pk)
    by = Actor.of(request.user)
    try:
        items.take("unconfirm" if "undo" in request.POST else "confirm", item, by=by, **items.inputs_of(request.POST))
    except Refused as refused:
        return _page(request, slug, refused, item.title)
    message = later("Taken back: {item}.") if "undo" in request.POST else later("Confirmed: {item}.")
    messages.success(request, spoken(say(message, item=item.title)))
    return SeeOther(reverse("portal:rollout", args=[slug]))


@require_POST
def measure(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Tell the newest value of a guard metric."""
    found, written = _whole(slug), request.POST.get("value", "").strip()
    try:
        metrics.measure(
            found,
            name,
            metrics.read(written),
            by=Actor.of(request.user),
            evidence=request.POST.get("evidence", ""),
            baseline=metrics.read(beside) if (beside := request.POST.get("baseline", "").strip()) else None,
        )
    except Refused as refused:
        return _page(request, slug, refused, say("Guard metrics"))
    messages.success(request, gettext("The value is kept."))
    return SeeOther(reverse("portal:rollout", args=[slug]))


@require_POST
def review_override(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """A second person closes the review that an override owes."""
    override = get_object_or_404(Override.objects.select_related("phase"), phase__rollout__slug=slug, pk=pk)
    try:
        overrides.review(override, by=Actor.of(request.user), verdict=request.POST.get("verdict", ""))
    except Refused as refused:
        return _page(request, slug, refused, say("Review of the override"))
    messages.success(request, gettext("The review is closed."))
    return SeeOther(reverse("portal:rollout", args=[slug]))


@require_POST
def ask_waiver(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask that a phase may be skipped, or to go on without an item; ``what`` is «phase/» or «phase/item»."""
    whole, by = _whole(slug), Actor.of(request.user)
    phase, _sep, item = request.POST.get("what", "").partition("/")
    try:
        what = waivers.named(whole, phase, item)
    except LookupError as unknown:
        raise Http404(unknown.args[0]) from None
    try:
        ends_at = waivers.until(request.POST.get("ends", ""), timezone.get_current_timezone())
        waiver = waivers.ask(what, by=by, reason=request.POST.get("reason", ""), ends_at=ends_at)
    except Refused as refused:
        return _page(request, slug, refused, say("Ask for a waiver"))
    messages.success(request, gettext("The waiver is asked for: somebody else decides about it."))
    return SeeOther(f"{reverse('portal:rollout', args=[slug])}#waiver-{waiver.pk}")


@require_POST
def write(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """``cancel`` (with a reason) or ``again``. Refused: 409 with the reasons, nothing changed."""
    owed, by = get_object_or_404(GitLabWrite.objects.select_related("rollout"), pk=pk), Actor.of(request.user)
    if verb == "cancel":
        outbox.cancel(owed, by=by, reason=request.POST.get("reason", ""))
    elif verb == "again":
        outbox.again(owed, by=by)
    else:
        raise Http404(f"There is no {verb} of a write.")
    messages.success(request, gettext("Cancelled.") if verb == "cancel" else gettext("It is tried again."))
    return SeeOther(f"{owed.rollout.get_absolute_url()}#writes")
