"""Plans in and out: make a rollout, look at its plan, change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from ...audit.actor import Actor
from ...models import PlanTemplate, Rollout, clock
from ...rules import offers, plan_merge
from ...rules.document import LIMIT, DocumentRefused, Fault
from ...rules.phrases import say, spoken
from ...rules.plan_document import FlagPlan, PlanDocument, dump_plan
from ...services import choices, facts, plan_versions, plans, prospects, schedules
from ...services.refusals import Refused
from ...services.templates import all_templates
from .. import refusals
from ..answers import SeeOther, download
from ..charts.ramp import picture
from ..forms import PlanForm
from ..presenters import prospect

#: The template that a new rollout takes unless another is chosen.
BUILTIN = "code_suggestions"
EXAMPLE = """# a short name for addresses
rollout: my-rollout
title: My model for code completion
# or the short name of a known model
model:
  provider: Anthropic
  id: claude-haiku-4-5
  host: Vertex AI
  quota: {requests_per_minute: 60000}
# as GitLab names it
flag: {name: use_my_model}
workload: {peak_requests_per_minute: 42000}
owners: [OWNER]
issues:
  rollout_plan: GITLAB/group/project/-/issues/1
phases:
  team:
    actors: ["user:OWNER"]
  company:
    groups: [gitlab_team_members]
  everyone:
    method: percentage
    steps: [1, 10, 25, 50, 75, 100]
    # how long each step must stand
    soak: 1d
    final_soak: 1d
"""


@require_http_methods(["GET", "HEAD", "POST"])
def new_rollout(request: HttpRequest) -> HttpResponse:
    """A form, or a plan document: both end in the same service. Refused: 422 with line and cure, nothing changed."""
    by = Actor.of(request.user)
    plans.refuse_others(by)
    text = request.POST.get("document", "")
    (form, wrong), example = _form(request), _example(request, by)
    if request.method != "POST" or wrong:
        return _new(request, form, example, [], 422 if wrong else 200, wrong)
    by_form = "by_form" in request.POST
    if by_form:
        if not form.is_valid():
            return _new(request, form, example, [], 422)
        text = form.document()
    try:
        applied = plans.apply(text, by=by, source="plan")
    except DocumentRefused as wrong_plan:
        faults = form.take(wrong_plan.faults, text) if by_form else wrong_plan.faults
        return _new(request, form, example if by_form else text, faults, 422)
    except Refused as refused:
        return _new(request, form, example if by_form else text, [], refused.status, refused=refused)
    message = say("{rollout} is planned.", rollout=applied.title)
    if not applied.created:
        message = say("{rollout} was there already: its plan was applied.", rollout=applied.title)
    messages.success(request, spoken(message))
    return SeeOther(reverse("portal:rollout", args=[applied.slug]))


@require_POST
def check_plan(request: HttpRequest) -> HttpResponse:
    """What is known of all that is named so far, and what the plan would mean. It changes nothing."""
    plans.refuse_others(Actor.of(request.user))
    form, _wrong = _form(request)
    return render(request, "components/prospect.html", {"prospect": _prospect(form, request), "form": form})


def _form(request: HttpRequest) -> tuple[PlanForm, list[str]]:
    """The form of the chosen template, or that of the rollout that is copied, with what was written in it; and, where
    there is no such template, that."""
    templates, copied = all_templates(), _copied(request)
    usual = BUILTIN if BUILTIN in templates else next(iter(templates))
    if copied and copied.template in templates:
        usual = copied.template
    chosen = (request.POST if request.method == "POST" else request.GET).get("template") or usual
    wrong = [] if chosen in templates else [spoken(choices.refusal("template", chosen, list(templates)))]
    written = (request.POST,) if "by_form" in request.POST else ()
    return PlanForm(templates[usual if wrong else chosen], *written, copied=copied), wrong


def _copied(request: HttpRequest) -> PlanDocument | None:
    slug = request.POST.get("copy") or request.GET.get("copy", "")
    return plans.document_of(get_object_or_404(Rollout.objects.whole(), slug=slug)) if slug else None


def _example(request: HttpRequest, by: Actor) -> str:
    """The document to begin with: the copied one without what is each rollout's own, or one to write over."""
    if (copied := _copied(request)) is not None:
        own = replace(copied, rollout=prospects.free_slug(copied.rollout), flag=FlagPlan(""), issues={})
        steps = {p.name: tuple(replace(step, planned_at=None) for step in p.steps) for p in own.phases}
        phases = tuple(replace(phase, issues={}, steps=steps[phase.name]) for phase in own.phases)
        return dump_plan(replace(own, phases=phases, timeline={}))
    example = EXAMPLE.replace("GITLAB", settings.GITLAB_URL or "https://gitlab.example.com")
    return example.replace("OWNER", by.name)


def _prospect(form: PlanForm, request: HttpRequest) -> prospect.Prospect:
    if "by_form" not in request.POST and "document" in request.POST:
        return _of_text(request.POST["document"], (), form)
    lines = prospect.lines_of(form.named(), form.labels())
    if missing := form.missing():
        return prospect.Prospect(lines, missing=tuple(missing))
    if not form.is_valid():
        faults = [f"{form[name].label}: {message}" for name, messages in form.errors.items() for message in messages]
        return prospect.Prospect(lines, faults=tuple(faults))
    return _of_text(form.document(), lines, form)


def _of_text(text: str, lines: tuple[prospect.ProspectLine, ...], form: PlanForm) -> prospect.Prospect:
    try:
        read = plans.check(text, source="plan")
    except DocumentRefused as refused:
        return prospect.Prospect(lines, faults=tuple(spoken(str(fault.message)) for fault in refused.faults))
    return prospect.of_plan(read, all_templates()[read.template], clock.now(), form.labels())


@require_http_methods(["GET", "HEAD", "POST"])
def plan(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The plan of a rollout as a document; managers edit it, look at what would change, and apply."""
    rollout = get_object_or_404(Rollout.objects.whole(), slug=slug)
    by = Actor.of(request.user)
    text = plans.export(rollout)
    if request.method != "POST":
        if request.GET.get("format") == "yaml":
            return download(f"{slug}.yaml", text, "application/yaml")
        return _plan(request, rollout, text, versions=plan_versions.of(rollout))
    plans.refuse_others(by)
    written = request.POST.get("document", "")
    dry_run = "look" in request.POST
    try:
        expect = request.POST.get("expect", "")
        applied = plans.apply(written, by=by, source="plan", dry_run=dry_run, only=slug, expect=expect)
    except DocumentRefused as wrong:
        return _plan(request, rollout, written[:LIMIT], 422, faults=wrong.faults)
    except Refused as refused:
        if plans.PLAN_CHANGED in refused.codes:
            return _merge(request, rollout, written[:LIMIT], refused)
        return _plan(request, rollout, written[:LIMIT], refused.status, **refusals.told(refused, rollout))
    if dry_run:
        return _plan(request, rollout, written[:LIMIT], looked=applied)
    changed, same = gettext("The plan was applied."), gettext("The plan says what is: nothing changed.")
    messages.success(request, changed if applied.changes else same)
    return SeeOther(reverse("portal:rollout", args=[applied.slug]))


def _merge(request: HttpRequest, rollout: Rollout, written: str, refused: Refused) -> HttpResponse:
    """Somebody else has changed the plan meanwhile: what both began with, what each made of it, and one of both."""
    base, theirs = request.POST.get("base", "")[:LIMIT], plans.export(rollout)
    merged = plan_merge.merge(base, written, theirs) if base else None
    told = {"merged": merged, "began_with": base, "mine": written, "base": theirs}
    told["expect"] = plan_merge.digest(theirs)
    text = merged.text if merged else written
    return _plan(request, rollout, text, refused.status, **told, **refusals.told(refused, rollout))


def _plan(request: HttpRequest, rollout: Rollout, text: str, status: int = 200, **more: object) -> HttpResponse:
    now, by = clock.now(), Actor.of(request.user)
    told = facts.for_rollout(rollout, now)
    phases = {phase.name: phase for phase in facts.newest_attempts(rollout)}
    stands = plans.export(rollout)
    context = {
        "rollout": rollout,
        "text": text,
        "base": request.POST.get("base") or stands,
        "expect": request.POST.get("expect") or plan_merge.digest(stands),
        "roll_backs": offers.ways_back(told, by.person),
        "ramp": picture(phases, told, schedules.coming(rollout, now)),
        **more,
    }
    return render(request, "portal/plan.html", context, status=status)


def _new(
    request: HttpRequest,
    form: PlanForm,
    text: str,
    faults: Sequence[Fault],
    status: int,
    wrong: Sequence[str] = (),
    refused: Refused | None = None,
) -> HttpResponse:
    templates = PlanTemplate.objects.order_by("-builtin", "title").values_list("slug", "title")
    is_begun = form.is_bound or form.copied is not None
    context = {
        "form": form,
        "text": text[:LIMIT],
        "faults": faults,
        "templates": list(templates),
        "prospect": _prospect(form, request) if is_begun else None,
        "not_understood": wrong,
        **refusals.told(refused),
    }
    return render(request, "portal/new_rollout.html", context, status=status)
