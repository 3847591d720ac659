"""The bypass matrix: every forbidden change, tried through every door, as every role. None passes.

Each push tries all pairs (a fifth of the doors for each change and role); `make drills` tries all of it.

The walls are in the services and the models; a door added later joins ``DOORS`` and is tried with all of it.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import json
import re
from datetime import timedelta

import pytest
from celery import Task
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import Error, transaction
from django.test import Client, override_settings
from django_fsm import TransitionNotAllowed

from rollouts import tasks
from rollouts.audit.recording import recorded
from rollouts.models import (
    Approval,
    ApprovalRequest,
    AuditEvent,
    ChecklistItem,
    DriftCase,
    Override,
    Phase,
    PlanTemplate,
    RampStep,
    Waiver,
    clock,
)  # fmt: skip
from rollouts.models.approvals import ApprovalIsProtected
from rollouts.models.change_log import Unaudited
from rollouts.models.guarded import StateIsProtected
from rollouts.rules.document import DocumentRefused
from rollouts.rules.drift_cases import Answer
from rollouts.rules.exposure import widens
from rollouts.services import absences, accounts, checklist, drift_answers, due, metrics, plans, tokens, transitions
from rollouts.services.refusals import Refused
from tests.addresses import every_address
from tests.portal.pages import signed_in
from tests.services.templates import own_template

pytestmark = pytest.mark.django_db
ROLES = ("viewer", "manager", "approver", "auditor", "admin")
WALLS = (
    Refused, DocumentRefused, StateIsProtected, ApprovalIsProtected, Unaudited, TransitionNotAllowed, AttributeError,
    Error, SystemExit, CommandError,
)  # fmt: skip


# What is forbidden: each walks the world to where it would matter, and says which verb of which phase must not pass.


def own_request(world, eve):
    world.up_to("team", "planned")
    with as_manager(eve):
        world.do("request", "team", "eve")
    return "team", "approve", {}


def own_plan(world, eve):
    with as_manager(eve):
        plans.apply(world.document(), by=world.actor("eve"), source="plan.yaml")
    world.sync()
    world.do("request", "team", "mia")
    return "team", "approve", {}


def approved_before(world, eve):
    world.up_to("company", "requested")
    with as_manager(eve, "approver"):
        world.do("approve", "company", "eve")
    return "company", "approve", {}


def start_unasked(world, eve):
    world.up_to("team", "planned")
    world.confirm("team")
    return "team", "start", {}


def start_with_one_of_two(world, eve):
    world.up_to("company", "requested")
    world.do("approve", "company", "alice")
    return "company", "start", {}


def start_of_her_own_with_one_of_two(world, eve):
    world.up_to("company", "planned")
    with as_manager(eve):
        world.do("request", "company", "eve")
    world.do("approve", "company", "alice")
    return "company", "start", {}


def start_what_has_changed(world, eve):
    world.up_to("company", "approved")
    item = ChecklistItem.objects.get(rollout=world.rollout(), key="considerations")
    checklist.unconfirm(item, by=world.actor("mia"), reason="wrong")
    return "company", "start", {}


def start_what_an_approver_who_left_approved(world, eve):
    world.up_to("team", "approved")
    world.people["alice"].groups.clear()
    world.sync()  # a job may take the approval back; nothing may use it
    return "team", "start", {}


def advance_to_everyone_unapproved(world, eve):
    world.up_to("everyone", "active")
    world.do("advance", "everyone", "mia")
    world.obey()
    return "everyone", "advance", {}


def jump_over_steps(world, eve):
    world.plan["steps"] = [1, 5, 10, 100]
    world.up_to("everyone", "active")
    return "everyone", "advance", {"to": 10}


def skip_the_company(world, eve):
    world.up_to("team", "completed")
    return "company", "skip", {}


def skip_without_a_waiver(world, eve):
    world.apply()
    return "team", "skip", {}


def skip_on_a_waiver_of_her_own(world, eve):
    """She asked for it, and may grant it now."""
    world.apply()
    with as_manager(eve):
        world.waive("team", granted=False, by="eve")
    return "team", "skip", {}


def skip_on_a_waiver_of_her_other_account(world, eve):
    world.apply()
    world.waive("team", granted=False)
    with recorded("identity.link", by=world.actor("root")):
        accounts.are_one_human([eve, world.people["mia"]])
    return "team", "skip", {}


def complete_without_a_decision_that_she_asked_to_waive(world, eve):
    world.up_to("company", "active")
    for item in ChecklistItem.objects.filter(phase__name="company", gate="complete").exclude(
        key="decide_post_processing"
    ):
        checklist.confirm(item, by=world.actor("mia"), evidence="no")
    with as_manager(eve):
        world.waive("company", "decide_post_processing", granted=False, by="eve")
    return "company", "complete", {}


def skip_on_a_waiver_that_has_run_out(world, eve):
    world.apply()
    waiver = world.waive("team", days=1)
    with clock.told_at(world.now() + timedelta(days=2)):
        world.sync()
    assert Waiver.objects.get(pk=waiver.pk).state == "expired"
    return "team", "skip", {}


def ahead_and_asked(world, by):
    """GitLab is ahead of the plan, and somebody asks that the plan takes it over."""
    world.up_to("everyone", "active")
    world.gitlab.state.set_feature("use_haiku", "25", key="percentage_of_actors")
    world.sync()
    case = DriftCase.objects.get()
    drift_answers.give(Answer.ADOPT, case, by=world.actor(by), reason="it is there already")
    return "everyone", "complete", {}


def adopt_what_she_asked_for(world, eve):
    with as_manager(eve):
        return ahead_and_asked(world, "eve")


def adopt_what_her_other_account_asked_for(world, eve):
    done = ahead_and_asked(world, "mia")
    with recorded("identity.link", by=world.actor("root")):
        accounts.are_one_human([eve, world.people["mia"]])
    return done


def adopt_what_has_moved_since(world, eve):
    done = ahead_and_asked(world, "mia")
    world.gitlab.state.set_feature("use_haiku", "20", key="percentage_of_actors")
    world.sync()
    return done


def item_of(world, key):
    return ChecklistItem.objects.get(rollout=world.rollout(), key=key)


def approve_without_a_fresh_sign_in(world, eve):
    """She is in: by a browser in which she has shown nothing lately, by a token, by a command."""
    own_template(world, "{needed: 1, reauthenticate: 15m}")
    world.do("request", "team", "mia")
    return "team", "approve", {}


def own_request_instead_of_who_is_away(world, eve):
    """She stands in for the only others who could approve."""
    world.up_to("team", "planned")
    with as_manager(eve, "admin"):
        today, then = (f"{world.now() + timedelta(days=n):%Y-%m-%d}" for n in (0, 5))
        for name in ("alice", "sam", "root"):
            absences.add(world.people[name], since=today, until=then, instead="eve", by=world.actor(name))
    with as_manager(eve):
        world.do("request", "team", "eve")
    return "team", "approve", {}


def request_of_her_other_account(world, eve):
    """The same GitLab user was in mia's account when that asked."""
    world.up_to("team", "requested")
    with recorded("identity.link", by=world.actor("root")):
        accounts.are_one_human([eve, world.people["mia"]])
    return "team", "approve", {}


HURTS = "guard_metrics:\n  latency: {unit: ms, at_most: 1200, hurt_for: 2m, then: roll_back}\n"


def figure_beyond(world, tell):
    """Told to be beyond its bound for longer than its plan lets it, and then looked at as workers do."""
    for minute in range(1, 5):
        with clock.told_at(world.now() + timedelta(minutes=minute)):
            tell()
    with clock.told_at(world.now() + timedelta(minutes=4)):
        due.work()


def start_again_what_a_figure_rolled_back(world, eve):
    """The portal rolled the phase back by itself: that grant is spent, whoever tries."""
    world.up_to("team", "active")
    plans.apply(world.document() + HURTS, by=world.actor("mia"), source="plan.yaml")
    mia = world.actor("mia")
    figure_beyond(world, lambda: metrics.measure(world.rollout(), "latency", 9000, by=mia))
    assert world.phase("team").state == "rolled_back"
    return "team", "start", {}


def roll_back_by_a_figure_that_may_only_hold(world, eve):
    """The plan wants a figure to roll back, its template lets no figure act any more. No press of hers starts more."""
    own_template(world, "{needed: 1}")
    document = world.document().replace("flag: {name", "template: ours\nflag: {name") + HURTS
    plans.apply(document, by=world.actor("mia"), source="plan.yaml")
    for verb, by in (("request", "mia"), ("approve", "alice"), ("start", "mia")):
        world.do(verb, "team", by)
    world.obey()
    with recorded("test", by=world.actor("root")):
        ours = PlanTemplate.objects.get(slug="ours")
        ours.document = ours.document.replace("metrics_may: roll_back", "metrics_may: hold")
        ours.save()
    return "company", "start", {}


FORBIDDEN = (
    start_again_what_a_figure_rolled_back, roll_back_by_a_figure_that_may_only_hold,
    own_request_instead_of_who_is_away, request_of_her_other_account, approve_without_a_fresh_sign_in,
    skip_without_a_waiver, skip_on_a_waiver_of_her_own, skip_on_a_waiver_of_her_other_account,
    adopt_what_she_asked_for, adopt_what_her_other_account_asked_for, adopt_what_has_moved_since,
    skip_on_a_waiver_that_has_run_out, complete_without_a_decision_that_she_asked_to_waive,
    own_request, own_plan, approved_before, start_unasked, start_with_one_of_two, start_what_has_changed,
    start_what_an_approver_who_left_approved, advance_to_everyone_unapproved, jump_over_steps, skip_the_company,
)  # fmt: skip


@contextlib.contextmanager
def as_manager(eve, role="manager"):
    """She had the role once, when she asked or planned."""
    before = list(eve.groups.all())
    eve.groups.set([Group.objects.get(name=role)])
    yield
    eve.groups.set(before)


# The doors. Each tries by all means it has; what it raises or answers does not matter, only what is stored afterwards.


def said(extra):
    return {"reason": "I want it", "override": "yes", "confirm": "haiku", **extra}


def forms(world, phase, extra):
    """As somebody sends them who has looked, and as somebody who has not."""
    seen = {"looked_at": world.looked_at(phase), **extra}
    return {"reason": "x", **seen}, said(seen), {"reason": "x", **extra}


def page(world, eve, phase, verb, extra):
    client = signed_in(world, "eve")
    for form in forms(world, phase, extra):
        client.post(f"/rollouts/haiku/phases/{phase}/{verb}/", form)


def inbox(world, eve, phase, verb, extra):
    client = signed_in(world, "eve")
    for request in ApprovalRequest.objects.all():
        digest = world.facts().phase(phase).request
        client.post(f"/approvals/{request.pk}/{verb}/", said({"looked_at": digest.stands if digest else "", **extra}))
        client.post(f"/approvals/{request.pk}/approve/", said(extra))


def admin_button(world, eve, phase, verb, extra):
    client = signed_in(world, "eve")
    for form in forms(world, phase, extra):
        client.post(f"/admin/rollouts/phase/{world.phase(phase).pk}/transition/{verb}/", form)


def admin_save(world, eve, phase, verb, extra):
    client, row = signed_in(world, "eve"), world.phase(phase)
    fields = {"state": "active", "approved_by": "sam", "requested_by": "sam", "version": 9, "grant": 1}
    client.post(f"/admin/rollouts/phase/{row.pk}/change/", fields)
    for request in ApprovalRequest.objects.all():
        client.post(f"/admin/rollouts/approvalrequest/{request.pk}/change/", {"state": "granted", "digest": "0" * 64})
    client.post("/admin/rollouts/approvalrequest/add/", {"phase": row.pk, "state": "granted", "requested_by": "sam"})


def admin_inline(world, eve, phase, verb, extra):
    client, row = signed_in(world, "eve"), world.phase(phase)
    rows = {"TOTAL_FORMS": 1, "INITIAL_FORMS": 1, "MIN_NUM_FORMS": 0, "MAX_NUM_FORMS": 1000}
    phases = {f"phases-{name}": value for name, value in rows.items()}
    client.post(
        f"/admin/rollouts/rollout/{row.rollout_id}/change/",
        {**phases, "title": row.rollout.title, "phases-0-id": row.pk, "phases-0-state": "active"},
    )
    for request in ApprovalRequest.objects.all():
        approvals = {f"approvals-{name}": value for name, value in {**rows, "INITIAL_FORMS": 0}.items()}
        client.post(
            f"/admin/rollouts/approvalrequest/{request.pk}/change/",
            {**approvals, "approvals-0-approver": "sam", "approvals-0-digest": request.digest},
        )


def admin_bulk(world, eve, phase, verb, extra):
    client = signed_in(world, "eve")
    for name, model in (("phase", Phase), ("approvalrequest", ApprovalRequest), ("override", Override)):
        chosen = {"_selected_action": list(model.objects.values_list("pk", flat=True)), "post": "yes"}
        for action in ("delete_selected", verb, "approve"):
            page = client.post(f"/admin/rollouts/{name}/", {"action": action, **chosen}).content.decode()
            stood = dict(re.findall(r'name="(stood-\d+)" value="([^"]*)"', page))
            answer = {"action": action, "confirmed": "yes", "reason": "x", **chosen, **stood}
            client.post(f"/admin/rollouts/{name}/", answer)


def waiver_page(world, eve, phase, verb, extra):
    client = signed_in(world, "eve")
    for waiver in Waiver.objects.all():
        for name in ("grant", "end", "expire", "extend"):
            client.post(f"/waivers/{waiver.pk}/{name}/", {"reason": "x", "ends": "2099-01-01", "ends_at": "2099-01-01"})


def waiver_admin(world, eve, phase, verb, extra):
    client = signed_in(world, "eve")
    chosen = {"_selected_action": list(Waiver.objects.values_list("pk", flat=True)), "post": "yes"}
    for waiver in Waiver.objects.all():
        form = {"state": "granted", "decided_by": "sam", "ends_at_0": "2099-01-01", "asked_by": "sam"}
        client.post(f"/admin/rollouts/waiver/{waiver.pk}/change/", form)
    for action in ("grant", "delete_selected"):
        page = client.post("/admin/rollouts/waiver/", {"action": action, **chosen}).content.decode()
        stood = dict(re.findall(r'name="(stood-\d+)" value="([^"]*)"', page))
        client.post("/admin/rollouts/waiver/", {"action": action, "confirmed": "yes", "reason": "x", **chosen, **stood})


def waiver_api(world, eve, phase, verb, extra):
    _, token = tokens.issue(eve, "waivers", world.actor("eve"))
    client = Client(headers={"Authorization": f"Bearer {token}"})
    for waiver in Waiver.objects.all():
        client.post(f"/api/v1/waivers/{waiver.pk}/grant", {}, content_type="application/json")


@override_settings(COMMAND_MAY_APPROVE=True)
def waiver_command(world, eve, phase, verb, extra):
    for waiver in Waiver.objects.all():
        attempt(world, lambda pk=waiver.pk: call_command("waiver", "grant", str(pk), "--as", "eve"))
        with contextlib.suppress(*WALLS):
            call_command("waiver", "grant", str(waiver.pk), "--as", "eve")


def raw_waivers(world, eve, phase, verb, extra):
    row, item = world.phase(phase), item_of(world, "considerations")
    then = world.now() + timedelta(days=9)
    fields = {
        "rollout": row.rollout,
        "phase": row,
        "asked_by": "sam",
        "asked_at": world.now(),
        "reason": "x",
        "ends_at": then,
    }
    forged = {"state": "granted", "decided_by": "root", "decided_at": world.now()}
    waiver = Waiver.objects.order_by("-pk").first()
    for attack in (
        lambda: Waiver(**fields, **forged).save(),
        lambda: Waiver.objects.bulk_create([Waiver(**fields, **forged)]),
        lambda: Waiver.objects.update(state="granted"),
        lambda: row.skip(None, at=world.now(), reason="x"),
        lambda: row.skip(Waiver(**fields), at=world.now(), reason="x"),
        lambda: row.skip(waiver, at=world.now(), reason="x"),
    ):
        attempt(world, attack, row)
    if waiver is None:
        return
    for change in ({"ends_at": then}, {"asked_by": "nobody"}, {"decided_by": "sam"}, {"item": item}):
        row = Waiver.objects.get(pk=waiver.pk)
        attempt(world, lambda row=row, change=change: [setattr(row, *one) for one in change.items()], row)
    attempt(world, lambda: waiver.grant(by=waiver.asked_by, at=world.now(), note=""), waiver)
    attempt(world, lambda: setattr(item, "waiver", Waiver.objects.get(pk=waiver.pk)), item)


def drift_doors(world, eve, phase, verb, extra):
    """The pages, the API and the command of drift; that it is asked for already is no yes."""
    client = signed_in(world, "eve")
    _, token = tokens.issue(eve, "drift", world.actor("eve"))
    program = Client(headers={"Authorization": f"Bearer {token}"})
    for case in DriftCase.objects.all():
        client.post(f"/drift/{case.pk}/adopt/", {"reason": "x"})
        client.post(f"/admin/rollouts/driftcase/{case.pk}/change/", {"state": "ended", "answer": "adopt"})
        program.post(f"/api/v1/drift/{case.pk}/adopt", {"reason": "x"}, content_type="application/json")
        with contextlib.suppress(*WALLS):
            call_command("drift", "adopt", str(case.pk), "--reason", "x", "--as", "eve")


def raw_drift(world, eve, phase, verb, extra):
    row, now = world.phase(phase), world.now()
    case, waiver = DriftCase.objects.first(), Waiver.objects.filter(adopts=True).first()
    step = row.steps.order_by("-percentage").first()
    forged = Waiver(rollout=row.rollout, drift_case=case, adopts=True, asked_by="sam", decided_by="root", asked_at=now)
    for taken in (None, forged, waiver):
        fresh = world.phase(phase)
        attempt(world, lambda taken=taken, fresh=fresh: fresh.adopt(taken, at=now, step=step), fresh)
    if case is None or waiver is None:
        return
    for attack in (
        lambda one: one.adopt(by=one.asked_by, at=now, note=""),
        lambda one: setattr(one, "adopts", False),
        lambda one: setattr(one, "covers", {}),
    ):
        fresh = Waiver.objects.get(pk=waiver.pk)
        attempt(world, lambda attack=attack, fresh=fresh: attack(fresh), fresh)
    attempt(world, lambda: setattr(case, "waiver", waiver), case)


def figures(world, eve, phase, verb, extra):
    """She tells a figure far beyond, by page, API and command, and workers look."""
    client, (_, token) = signed_in(world, "eve"), tokens.issue(eve, "figures", world.actor("eve"))
    program = Client(headers={"Authorization": f"Bearer {token}"})

    def tell():
        client.post("/rollouts/haiku/metrics/latency/", {"value": "9000", "evidence": "x"})
        program.post("/api/v1/rollouts/haiku/metrics/latency", {"value": 9000}, content_type="application/json")
        with contextlib.suppress(*WALLS):
            call_command("metric", "haiku", "latency", "9000", "--as", "eve")

    figure_beyond(world, tell)


def admin_delete(world, eve, phase, verb, extra):
    client = signed_in(world, "eve")
    client.post(f"/admin/rollouts/phase/{world.phase(phase).pk}/delete/", {"post": "yes"})
    for request in ApprovalRequest.objects.all():
        client.post(f"/admin/rollouts/approvalrequest/{request.pk}/delete/", {"post": "yes"})


def api(world, eve, phase, verb, extra):
    _, token = tokens.issue(eve, "matrix", world.actor("eve"))
    client = Client(headers={"Authorization": f"Bearer {token}"})
    extra = {"looked_at": world.looked_at(phase), **extra}
    for body in ({"reason": "x", **extra}, {"reason": "x", "override": True, "confirm": "haiku", **extra}):
        client.post(f"/api/v1/rollouts/haiku/phases/{phase}/{verb}", json.dumps(body), content_type="application/json")


def command(world, eve, phase, verb, extra):
    more = [part for name, value in extra.items() for part in (f"--{name}", str(value))]
    more += ["--looked-at", world.looked_at(phase)]
    call_command("transition", "haiku", phase, verb, "--as", "eve", "--reason", "x", *more)


@override_settings(COMMAND_MAY_APPROVE=True)
def command_of_operators(world, eve, phase, verb, extra):
    """Where commands may decide in others' names, four eyes hold as everywhere."""
    command(world, eve, phase, verb, extra)


def command_overriding(world, eve, phase, verb, extra):
    more = [part for name, value in extra.items() for part in (f"--{name}", str(value))]
    more += ["--override", "--confirm", "haiku"]
    call_command("transition", "haiku", phase, verb, "--as", "eve", "--reason", "x", *more)


def plan_apply(world, eve, phase, verb, extra):
    text = world.document().replace(f"  {phase}: {{", f"  {phase}: {{state: active, approved_by: sam, ")
    plans.apply(text, by=world.actor("eve"), source="plan.yaml")


def policy_for_a_moment(world, eve, phase, verb, extra):
    """An admin loosens the policy, does what it then lets, and puts the old text back: by import, and by the form."""
    client, template = signed_in(world, "eve"), world.rollout().template
    loose = re.sub(r"(?m)^( +)approvals:.*(\n\1 +.*)*", r"\1approvals: {needed: 1, requester_may: true, author_may: true}",
                   template.document)  # fmt: skip
    for document in (loose, template.document):
        texts = {"source": "t.yaml", "text": document, "import": "yes"}
        client.post("/admin/rollouts/plantemplate/import/", texts)
        form = {"slug": template.slug, "title": template.title, "document": document}
        client.post(f"/admin/rollouts/plantemplate/{template.pk}/change/", form)
        if document == loose:
            for door in (page, inbox, api):
                door(world, eve, phase, verb, extra)


def celery_tasks(world, eve, phase, verb, extra):
    """All of them, with the one argument that some take."""
    for task in TASKS:
        takes = len(inspect.signature(task.run).parameters)
        task(*[world.rollout().flag.instance_id][:takes])


def webhook(world, eve, phase, verb, extra):
    told = {"object_kind": "feature_flag", "object_attributes": {"name": "use_haiku", "active": True}, "verb": verb}
    for path in ("/hooks/gitlab/", "/hooks/gitlab/gitlab/"):
        Client().post(path, json.dumps(told), content_type="application/json")


def raw_phase(world, eve, phase, verb, extra):
    row = world.phase(phase)
    step = RampStep.objects.filter(phase=row).order_by("-percentage").first()
    request = ApprovalRequest.objects.filter(phase=row).first()
    for attack in (
        lambda: Phase.objects.filter(pk=row.pk).update(state="active"),
        lambda: setattr(row, "state", "approved"),
        lambda: Phase(pk=row.pk, state="approved").save(),
        lambda: row.start(None, at=world.now(), step=step),
        lambda: row.start(request, at=world.now(), step=step),
        lambda: row.advance(None, at=world.now(), step=step),
        lambda: row.approve(request, by="sam", at=world.now()),
    ):
        attempt(world, attack, row)


def raw_approvals(world, eve, phase, verb, extra):
    request = ApprovalRequest.objects.filter(phase=world.phase(phase)).order_by("-pk").first()
    if request is None:
        return

    def forged(**more):
        fields = {"request": request, "approver": "sam", "asked_by": request.requested_by, "at": world.now()}
        return Approval(**{**fields, "digest": request.digest, **more})

    others = {"digest": "0" * 64}, {"asked_by": "nobody"}, {"person": eve}, {"approver": request.requested_by}
    for more in others:
        attempt(world, lambda more=more: forged(**more).save())
        attempt(world, lambda more=more: Approval.objects.bulk_create([forged(**more)]))
    for attack in (
        lambda: request.grant(needed=9),
        lambda: request.grant(needed=0),
        lambda: ApprovalRequest.objects.update(state="granted"),
        lambda: ApprovalRequest.objects.all().delete(),
        lambda: Approval.objects.update(approver="sam"),
        lambda: [one.delete() for one in Approval.objects.all()],
    ):
        attempt(world, attack, request)


def service(world, eve, phase, verb, extra):
    seen = {"looked_at": world.looked_at(phase)}
    transitions.perform(verb, world.phase(phase), by=world.actor("eve"), reason="x", **seen, **extra)


def attempt(world, attack, row=None):
    """A new door that somebody forgets to guard: it opens a recorded change of its own and saves what it made."""
    with contextlib.suppress(*WALLS), transaction.atomic(), recorded("attack", by=world.actor("root")):
        attack()
        if row is not None:
            row.save()


#: Every task that workers know, whoever wrote it.
TASKS = [thing for thing in vars(tasks).values() if isinstance(thing, Task)]

DOORS = (
    page, inbox, admin_button, admin_save, admin_inline, admin_bulk, admin_delete, api, command, command_of_operators,
    command_overriding, plan_apply, policy_for_a_moment, celery_tasks, webhook, raw_phase, raw_approvals, service,
    waiver_page, waiver_admin, waiver_api, waiver_command, raw_waivers, drift_doors, raw_drift,
    figures,
)  # fmt: skip


def standing(world):
    """All that decides who may see the model: states, steps, grants, and which approvals count."""
    facts = world.facts()
    return {
        "phases": [(p.name, p.attempt, p.state, p.percentage, p.grant_id) for p in Phase.objects.order_by("pk")],
        "requests": list(ApprovalRequest.objects.order_by("pk").values_list("pk", "state", "round", "digest")),
        "approvals": list(Approval.objects.order_by("pk").values_list("pk", "approver", "digest")),
        "counting": [(p.name, sorted(a.by for a in p.request.counting())) for p in facts.phases if p.request],
        "expected": facts.expected,
        "overrides": Override.objects.count(),
        "waivers": list(Waiver.objects.order_by("pk").values_list("pk", "state", "asked_by", "decided_by", "ends_at")),
        "steps": list(RampStep.objects.order_by("pk").values_list("pk", "percentage", "soak")),
    }


def try_doors(world, settings, forbidden, role, doors):
    settings.CELERY_TASK_ALWAYS_EAGER = True
    eve = world.join("eve", "viewer")  # whatever she becomes: it is the same walk
    phase, verb, extra = forbidden(world, eve)
    eve.groups.set(Group.objects.filter(name=role))
    before = standing(world)
    for door in doors:
        events = AuditEvent.objects.count()
        with contextlib.suppress(*WALLS), transaction.atomic():
            door(world, eve, phase, verb, extra)
        assert standing(world) == before, door.__name__
        new = AuditEvent.objects.all()[: AuditEvent.objects.count() - events]
        assert not [e.verb for e in new if e.verb.startswith(("phase.", "attack", "approval.", "waiver."))], (
            door.__name__
        )


def test_the_figures_that_are_tried_would_roll_back_where_they_may(world):
    """So that the door above is one."""
    world.up_to("team", "active")
    plans.apply(world.document() + HURTS, by=world.actor("mia"), source="plan.yaml")
    eve = world.join("eve", "manager")
    figures(world, eve, "team", "start", {})
    assert world.phase("team").state == "rolled_back"
    event = AuditEvent.objects.get(verb="phase.roll_back")
    assert (event.actor_kind, event.actor) == ("job", "metrics")


def names(each):
    return getattr(each, "__name__", str(each))


def share(forbidden, role):
    """Every fifth door, begun elsewhere for each change and each role."""
    first = (FORBIDDEN.index(forbidden) + ROLES.index(role)) % len(ROLES)
    return DOORS[first :: len(ROLES)]


#: On PostgreSQL each change as one role: its own walls are tried by ``tests/models``.
PAIRS = [
    pytest.param(forbidden, role, marks=[] if number % len(ROLES) == at else pytest.mark.same_anywhere)
    for number, forbidden in enumerate(FORBIDDEN)
    for at, role in enumerate(ROLES)
]


@pytest.mark.parametrize(("forbidden", "role"), PAIRS, ids=names)
def test_no_door_lets_a_forbidden_change_through(world, settings, forbidden, role):
    """Each change as each role, each change through each door, each role through each door."""
    try_doors(world, settings, forbidden, role, share(forbidden, role))


def test_all_pairs_are_tried():
    tried = {(forbidden, role, door) for forbidden in FORBIDDEN for role in ROLES for door in share(forbidden, role)}
    for these, those, pairs in (
        (FORBIDDEN, ROLES, {(forbidden, role) for forbidden, role, _ in tried}),
        (FORBIDDEN, DOORS, {(forbidden, door) for forbidden, _, door in tried}),
        (ROLES, DOORS, {(role, door) for _, role, door in tried}),
    ):
        assert pairs == set(itertools.product(these, those))


@pytest.mark.drill
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("forbidden", FORBIDDEN, ids=names)
def test_no_door_lets_it_through_whoever_tries(world, settings, forbidden, role):
    """All of them: change, role and door."""
    try_doors(world, settings, forbidden, role, DOORS)


def moved(world):
    """Who sees the model, or would with one press more, in the fewest questions."""
    return [
        list(Phase.objects.order_by("pk").values_list("pk", "state", "current_step", "grant")),
        list(ApprovalRequest.objects.filter(state="granted").order_by("pk").values_list("pk", flat=True)),
        list(Approval.objects.order_by("pk").values_list("pk", flat=True)),
        list(RampStep.objects.order_by("pk").values_list("pk", "percentage", "soak")),
    ]


def let_in(world, before):
    """Whether more people see the model than before, or a start or step is nearer by an approval."""
    phases, granted, approvals, _ = moved(world)
    return bool(
        widens(before[1], world.facts().expected)
        or set(granted) - set(before[0][1])
        or set(approvals) - set(before[0][2])
        or any(state in ("approved", "active", "skipped", "completed") and (pk, state, *_) not in before[0][0]
               for pk, state, *_ in phases)
    )  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
def test_no_address_lets_it_through(world, role):
    """Each address that the portal has, by each method, with all that a form could say: pages to come as well.

    What is allowed (a roll back, a withdrawal) may happen, and is taken back before the next one is tried. Each push tries
    an address as one of the roles, drills try it as all of them.
    """
    try_addresses(world, role, slice(ROLES.index(role), None, len(ROLES)))


@pytest.mark.drill
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("role", ROLES)
def test_no_address_lets_it_through_whoever_tries(world, role):
    try_addresses(world, role, slice(None))


def try_addresses(world, role, share):
    eve = world.join("eve", role)
    phase, verb, _ = start_of_her_own_with_one_of_two(world, eve)
    before = moved(world), world.facts().expected
    browser = signed_in(world, "eve")
    _, token = tokens.issue(eve, "matrix", world.actor("eve"))
    program = Client(headers={"Authorization": f"Bearer {token}"})
    pks = list(Phase.objects.values_list("pk", flat=True))
    form = said({
        "state": "active", "approved_by": "sam", "evidence": "x", "verdict": "x", "value": "100", "percentage": "100",
        "verb": verb, "phase": world.phase(phase).pk, "action": verb, "_selected_action": pks, "post": "yes", "slug": "haiku",
        "document": world.document(steps=[100]), "steps": "100", "to": 100, "looked_at": world.looked_at(phase),
    })  # fmt: skip
    routes = sorted(every_address(world, (verb, "skip", "approve")).items())
    assert len(routes) > 100
    for route, addresses in routes[share]:
        if route.startswith(("accounts/", "admin/logout", "admin/login")):
            continue
        for address in addresses:
            if route.startswith("api/"):
                tries = [
                    lambda method=method, address=address: program.generic(
                        method, address, json.dumps(form), content_type="application/json"
                    )
                    for method in ("POST", "PUT", "PATCH", "DELETE")
                ]
            else:
                tries = [lambda address=address: browser.post(address, form)]
            for attempt_it in tries:
                with transaction.atomic():
                    with contextlib.suppress(*WALLS):
                        attempt_it()
                    assert moved(world) == before[0] or not let_in(world, before), address
                    transaction.set_rollback(True)


def test_the_same_doors_open_for_what_is_allowed(world, settings):
    """The matrix is no closed wall: with the right approvals the same doors let the same verb through."""
    eve = world.join("eve", "manager")
    for door in (page, admin_button, api, command, service):
        world.up_to("team", "approved")
        door(world, eve, "team", "start", {})
        assert world.phase("team").state == "active", door.__name__
        world.do("roll_back", "team", "mia", reason="again")
        world.do("retry", "team", "mia")
        world.confirm("team")
        world.sync()
