"""Plans in and out: make a rollout, look at its plan, change it."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods

from ...audit.actor import Actor
from ...models import Rollout
from ...rules.document import LIMIT, DocumentRefused
from ...rules.machine import Role
from ...services import plans
from ...services.instances import default_instance
from ...services.refusals import Refused
from ..forms import PlanForm

EXAMPLE = """# What the keys mean: docs/guide/plans.md
rollout: my-rollout
title: My model for code completion
model: {provider: Anthropic, id: claude-haiku-4-5, host: Vertex AI, quota: {requests_per_minute: 60000}}
flag: {name: use_my_model}
workload: {peak_requests_per_minute: 42000}
owners: [OWNER]
issues:
  rollout_plan: GITLAB/group/project/-/issues/1
phases:
  team: {actors: ["user:OWNER"]}
  company: {groups: [gitlab_team_members]}
  everyone: {method: percentage, steps: [1, 10, 25, 50, 75, 100], soak: 1d, final_soak: 1d}
"""


@require_http_methods(["GET", "HEAD", "POST"])
def new_rollout(request: HttpRequest) -> HttpResponse:
    """A form, or a plan document: both end in the same service. Refused: 422 with line and cure, nothing changed."""
    by = Actor.of(request.user)
    if not by.person.has(Role.MANAGER):
        return _refuse(request, "Planning a rollout takes the role manager.")
    try:
        text = request.POST.get("document", "")
    except RequestDataTooBig:
        text = "x" * (LIMIT + 1)
        return _new(request, PlanForm(), "", _faults(text), 422)
    if request.method != "POST":
        example = EXAMPLE.replace("GITLAB", default_instance().url or "https://gitlab.example.com")
        return _new(request, PlanForm(), example.replace("OWNER", by.name), [], 200)
    form = PlanForm(request.POST) if "by_form" in request.POST else PlanForm()
    if "by_form" in request.POST:
        if not form.is_valid():
            return _new(request, form, "", [], 422)
        text = form.document()
    faults, applied = _apply(text, by, dry_run=False)
    if applied is None:
        return _new(request, form, text if "by_form" not in request.POST else "", faults, 422)
    said = "is planned" if applied.created else "was there already: its plan was applied"
    messages.success(request, f"{applied.title} {said}.")
    return _see(applied.slug)


@require_http_methods(["GET", "HEAD", "POST"])
def plan(request: HttpRequest, slug: str) -> HttpResponse:
    """The plan of a rollout as a document; managers edit it, look at what would change, and apply."""
    rollout = get_object_or_404(Rollout.objects.whole(), slug=slug)
    by = Actor.of(request.user)
    text = plans.export(rollout)
    if request.method != "POST":
        if request.GET.get("format") == "yaml":
            answer = HttpResponse(text, content_type="application/yaml; charset=utf-8")
            answer["Content-Disposition"] = f'attachment; filename="{slug}.yaml"'
            return answer
        return render(request, "portal/plan.html", {"rollout": rollout, "text": text})
    if not by.person.has(Role.MANAGER):
        return _refuse(request, "Changing a plan takes the role manager.")
    try:
        written = request.POST.get("document", "")
    except RequestDataTooBig:
        written = "x" * (LIMIT + 1)
    dry_run = "look" in request.POST
    faults, applied = _apply(written, by, dry_run=dry_run, only=slug)
    if applied is not None and not dry_run:
        said = "The plan was applied." if applied.changes else "The plan says what is: nothing changed."
        messages.success(request, said)
        return _see(applied.slug)
    context = {"rollout": rollout, "text": written[:LIMIT], "faults": faults, "looked": applied}
    return render(request, "portal/plan.html", context, status=422 if faults else 200)


def _apply(text: str, by: Actor, *, dry_run: bool, only: str = "") -> tuple[list[str], plans.Applied | None]:
    """Either what is wrong, or what was done."""
    try:
        if only and (named := plans.check(text, source="plan").rollout) != only:
            return [f"The plan is for {named}, this page for {only}. Use New rollout to make another one."], None
        return [], plans.apply(text, by=by, source="plan", dry_run=dry_run)
    except DocumentRefused as refused:
        return [str(fault) for fault in refused.faults], None
    except Refused as refused:
        return [blocker.message for blocker in refused.blockers], None


def _faults(text: str) -> list[str]:
    try:
        plans.check(text, source="plan")
    except DocumentRefused as refused:
        return [str(fault) for fault in refused.faults]
    return []


def _new(request: HttpRequest, form: PlanForm, text: str, faults: list[str], status: int) -> HttpResponse:
    context = {"form": form, "text": text[:LIMIT], "faults": faults, "by_form": form.is_bound}
    return render(request, "portal/new_rollout.html", context, status=status)


def _refuse(request: HttpRequest, words: str) -> HttpResponse:
    return render(request, "403.html", {"words": words}, status=403)


def _see(slug: str) -> HttpResponse:
    response = HttpResponseRedirect(Rollout.objects.get(slug=slug).get_absolute_url())
    response.status_code = 303
    return response
