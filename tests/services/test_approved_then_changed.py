"""What is approved is what was shown: whatever of it changes voids the approval, whatever returns to it counts again."""

from __future__ import annotations

import contextlib
import re
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, models, transaction

from rollouts.models import AIModel, ApprovalRequest, AuditEvent, ChecklistItem, PlanTemplate, RampStep
from rollouts.services import checklist, plans
from rollouts.services.refusals import Refused
from tests.portal.pages import signed_in
from tests.services.refusing import refused
from tests.services.templates import own_template

pytestmark = pytest.mark.django_db

MORE = """criteria: {roll_back: ["p95 above 900 ms"]}
guard_metrics: {latency_p95: {at_most: 900, unit: ms}}
timeline: {company: 2030-01-07}
mitigation: Set the flag to false.
"""


def planned(world, **changes):
    """The plan as the world writes it, with all that a plan may say."""
    return world.document(**changes) + MORE


def approved(world):
    """The company approved by two, under a plan that says all."""
    plans.apply(planned(world), by=world.actor("mia"), source="plan.yaml")
    world.sync()
    world.confirm()
    world.up_to("company", "approved")
    return world


def by_plan(old, new):
    def change(world):
        text = planned(world)
        assert old in text, old
        client = signed_in(world, "mia")
        answer = client.post("/rollouts/haiku/plan/", {"document": text.replace(old, new, 1), "apply": "yes"})
        assert answer.status_code in (302, 303), answer.content.decode()

    change.__name__ = f"plan: {new}"
    return change


def by_admin(kind, find, field, value):
    def change(world):
        row = find(world)
        page = f"/admin/rollouts/{kind}/{row.pk}/change/"
        client = signed_in(world, "root")
        answer = client.post(page, {**form_of(client.get(page)), field: value})
        assert answer.status_code in (302, 303), re.findall(r"errorlist.*", answer.content.decode())

    change.__name__ = f"admin: {kind}.{field}"
    return change


def form_of(page):
    """What the page's form would send if nobody touched it."""
    sent = {}
    for field in page.context["adminform"].form:
        value = field.value()
        if value not in (None, False):
            sent[field.html_name] = "\n".join(value) if isinstance(value, list) else value
    for formset in page.context["inline_admin_formsets"]:
        for bound in (formset.formset.management_form, *formset.formset.forms):
            sent |= {each.html_name: each.value() for each in bound if each.value() not in (None, False)}
    return sent


def model(world):
    return world.rollout().ai_model


def baseline(world):
    return world.rollout().baseline


def item(world):
    return ChecklistItem.objects.get(rollout=world.rollout(), key="considerations")


def confirmed_again(evidence):
    def change(world):
        checklist.unconfirm(item(world), by=world.actor("mia"), reason="again")
        checklist.confirm(item(world), by=world.actor("mia"), evidence=evidence)

    change.__name__ = f"evidence: {evidence[-10:]}"
    return change


def taken_back(world):
    url = f"/rollouts/haiku/items/{item(world).pk}/"
    answer = signed_in(world, "mia").post(url, {"undo": "1", "reason": "wrong link"})
    assert answer.status_code == 303


def imported(world):
    sheet = f"ai_models:\n- slug: {model(world).slug}\n  provider: Somebody else\n"
    answer = signed_in(world, "root").post(
        "/admin/rollouts/aimodel/import/", {"source": "m.yaml", "text": sheet, "import": "yes"}
    )
    assert answer.status_code == 303


CHANGES = (
    by_plan("title: Claude Haiku", "title: Claude Opus"),
    by_plan("host: Vertex AI", "host: Bedrock"),
    by_plan("requests_per_minute: 60000", "requests_per_minute: 50000"),
    by_plan("capability: code_completion", "capability: chat"),
    by_plan("baseline: codestral-2501", "baseline: other"),
    by_plan("peak_requests_per_minute: 42000", "peak_requests_per_minute: 41000"),
    by_plan("owners: [mia]", "owners: [root]"),
    by_plan("/-/issues/14", "/-/issues/13"),
    by_plan("groups: [acme_team_members]", "groups: [everybody_else]"),
    by_plan("steps: [1, 25, 100]", "steps: [1, 100]"),
    by_plan("soak: 0,", "soak: 5m,"),
    by_plan("final_soak: 0", "final_soak: 1h"),
    by_plan("method: percentage,", "method: percentage, auto: true,"),
    by_plan("p95 above 900 ms", "never"),
    by_plan("at_most: 900", "at_most: 9000"),
    by_plan("2030-01-07", "2031-01-07"),
    by_plan("Set the flag to false.", "Wait."),
    by_admin("aimodel", model, "provider", "Somebody else"),
    by_admin("aimodel", model, "provider_model_id", "another-model"),
    by_admin("aimodel", model, "host", "Elsewhere"),
    by_admin("aimodel", model, "name", "Another name"),
    by_admin("aimodel", model, "capability", "chat"),
    by_admin("aimodel", model, "quota_requests_per_minute", "59000"),
    by_admin("aimodel", baseline, "host", "Elsewhere"),
    by_admin("checklistitem", item, "title", "Something was reviewed"),
    by_admin("checklistitem", item, "help", "Somehow"),
    by_admin("rollout", lambda world: world.rollout(), "mitigation", "Wait and see"),
    imported,
    taken_back,
    confirmed_again("https://gitlab.example.com/other"),
    confirmed_again("x" * 250 + "other tail"),
)


def test_each_thing_that_is_shown_voids_the_approval_when_it_changes_through_its_door(world):
    approved(world)
    confirmed_again("x" * 250)(world)  # evidence as long as what a page cuts off
    for who in ("alice", "sam"):
        world.do("approve", "company", who)
    stood = world.looked_at("company")
    for change in CHANGES:
        with transaction.atomic():
            change(world)
            assert world.looked_at("company") != stood, change.__name__
            assert refused(world.do, "start", "company", "mia").codes & {"approval_void", "state"}, change.__name__
            world.sync()
            assert world.phase("company").state == "requested", change.__name__
            page = signed_in(world, "alice").get("/rollouts/haiku/").content.decode()
            told = page.partition("What was asked for has changed.")[2].partition("</ul>")[0]
            assert ": was " in told, change.__name__
            transaction.set_rollback(True)
    assert world.do("start", "company", "mia").state == "active", "nothing but the changes stood in the way"


# The other way round: what the digest lacks is not on the approver's page, whatever columns come later.

#: Columns that say how things stand, not what is asked for: what GitLab says, and what the portal did meanwhile. (A
#: rollout's and a phase's short name are in the digest and in addresses; a flag of the instance has no environment.)
STANDING = {
    "Rollout": {"slug", "state", "version", "drift", "drift_since", "measured", "created_at", "created_by", "authors",
                "completed_at", "abandoned_at", "closed_at", "begins_at", "ends_at", "until", "takes"},
    "Phase": {"name", "state", "version", "requested_by", "requested_at", "approved_by", "approved_at", "started_at",
              "stepped_at", "confirmed_at", "paused_at", "completed_at", "ended_at", "held_since", "held_by", "reason"},
    "RampStep": {"began_at"},
    "ChecklistItem": {"confirmed_at", "position"},
    "FeatureFlag": {"environment", "presence", "description", "type", "group", "milestone", "default_enabled", "introduced_by_url",
                    "rollout_issue_url", "feature_issue_url"},
    "ApprovalRequest": {"state", "version", "round", "digest", "content", "changed", "policy", "authors", "carried",
                        "source", "way", "closed_at", "closed_by", "reason", "is_start", "percentage",
                        "waiting_since", "waited", "first_answer_after", "decided_after"},
    "GitLabInstance": {"flags_read_at", "retired_at"},
}  # fmt: skip


def other(field, value):
    """Another value that the column takes."""
    if field.choices:
        return next(choice for choice, _ in field.choices if choice != value)
    match field:
        case models.BooleanField():
            return not value
        case models.IntegerField():
            return (value or 0) + 7
        case models.DecimalField():
            return (value or 0) + Decimal("0.5")
        case models.DurationField():
            return (value or timedelta()) + timedelta(hours=3)
        case models.DateTimeField():
            return (value or datetime.fromisoformat("2031-02-03T04:05:00+00:00")) + timedelta(days=1)
        case models.DateField():
            return date(2031, 2, 3)
        case models.JSONField():
            if field.name == "guard_metrics":
                return {"canary": {"at_most": 3}}
            if field.name == "comparison":
                return {"latency": "worse", "correctness": "alike", "verdict": "worse", "numbers": []}
            return [*value, "canary"] if isinstance(value, list) else {"canary": ["canary"]}
        case models.URLField():
            return "https://canary.example.com"
    if field.name == "document":
        return value.replace("needed: 2", "needed: 3")
    return "canary"


def rows(world):
    rollout = world.rollout()
    asked = ApprovalRequest.objects.get(phase=world.phase("company"))
    steps = list(RampStep.objects.filter(phase=world.phase("everyone")))
    found = [rollout, rollout.ai_model, rollout.baseline, rollout.template, rollout.flag, rollout.flag.instance, asked]
    return [*found, *rollout.phases.all(), *steps[:1], *rollout.items.all()]


def seen(world, client):
    """The pages that somebody looks at who approves, without what differs each time."""
    pages = "".join(client.get(page).content.decode() for page in ("/approvals/", "/rollouts/haiku/"))
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"|nonce="[^"]+"|data-\w+="[^"]*"', "", pages)


def test_what_the_digest_lacks_is_not_on_the_approvers_pages(world, time_machine):
    approved(world)
    time_machine.move_to(world.now(), tick=False)
    client, stood = signed_in(world, "alice"), world.looked_at("company")
    page, held, lacking = seen(world, client), 0, []
    assert seen(world, client) == page, "the page tells the same twice"
    for row in rows(world):
        for field in row._meta.concrete_fields:
            if field.primary_key or field.remote_field or field.name in STANDING.get(type(row).__name__, ()):
                continue
            if isinstance(row, ChecklistItem) and not is_asked(row, field.name):
                continue
            with contextlib.suppress(IntegrityError), transaction.atomic():  # what the database refuses is never seen
                new = other(field, getattr(row, field.name))
                models.QuerySet(type(row)).filter(pk=row.pk).update(**{field.name: new})
                if world.looked_at("company") != stood:
                    held += 1
                elif seen(world, client) != page:
                    lacking.append(f"{type(row).__name__}.{field.name} of {row}")
                transaction.set_rollback(True)
    assert not lacking
    assert held > 100, "the walk walks"


def is_asked(item, name):
    """A confirmation is for the phase that starts on it; what another phase has or leaves is how things stand there."""
    is_confirmation = name in ("confirmed_by", "evidence", "channel", "owner", "link", "comparison")
    return not is_confirmation or (item.gate == "start" and (item.phase is None or item.phase.name == "company"))


# What returns to what was approved counts again.


def flip_title(world, to):
    plans.apply(planned(world, title=to), by=world.actor("mia"), source="plan.yaml")


@pytest.mark.parametrize("job_sees_it", [True, False])
@pytest.mark.parametrize("job_sees_the_return", [True, False])
def test_a_then_b_then_a_again_is_approved_again(world, job_sees_it, job_sees_the_return):
    approved(world)
    stood = world.looked_at("company")
    model = world.rollout().ai_model
    for host in ("Elsewhere", model.host):
        by_admin("aimodel", lambda _world: AIModel.objects.get(pk=model.pk), "host", host)(world)
        if job_sees_it if host == "Elsewhere" else job_sees_the_return:
            world.sync()
    assert world.looked_at("company") == stood
    if job_sees_the_return:
        assert world.phase("company").state == "approved"
        assert (ApprovalRequest.objects.get(phase=world.phase("company")).changed, world.phase("company").approved_by) == (
            [], "alice, sam")  # fmt: skip
        page = signed_in(world, "alice").get("/rollouts/haiku/").content.decode()
        assert "What was asked for has changed." not in page
        if job_sees_it:
            assert AuditEvent.objects.filter(verb="approval.regain").count() == 1
    assert world.do("start", "company", "mia").state == "active"


def test_a_plan_that_returns_is_approved_again_in_the_same_breath(world):
    approved(world)
    flip_title(world, "Another")
    assert world.phase("company").state == "requested"
    flip_title(world, "Claude Haiku")
    assert world.phase("company").state == "approved"


def test_one_of_two_approvals_that_counts_again_leaves_one_to_give(world):
    approved_by_one = (
        approved(world) and world.do("withdraw", "company", "mia") and world.do("request", "company", "mia")
    )
    assert approved_by_one.state == "requested"
    world.do("approve", "company", "alice")
    flip_title(world, "Another")
    flip_title(world, "Claude Haiku")
    assert [one.by for one in world.facts().phase("company").request.counting()] == ["alice"]
    assert world.phase("company").state == "requested"
    assert world.do("approve", "company", "sam").state == "approved"


def test_a_policy_that_returns_counts_again(world):
    own_template(world, "{needed: 1}")
    world.do("request", "team", "mia")
    world.do("approve", "team", "alice")
    template = PlanTemplate.objects.get(slug="ours")
    client = signed_in(world, "root")
    for old, new in (("{needed: 1}", "{needed: 2}"), ("{needed: 2}", "{needed: 1}")):
        document = PlanTemplate.objects.get(pk=template.pk).document.replace(
            f"approvals: {old}", f"approvals: {new}", 1
        )
        texts = {"source": "t.yaml", "text": document, "import": "yes"}
        assert client.post("/admin/rollouts/plantemplate/import/", texts).status_code == 303
        world.sync()
        assert world.phase("team").state == ("requested" if "2" in new else "approved")
    assert world.do("start", "team", "mia").state == "active"


def test_a_checklist_that_returns_counts_again(world):
    approved(world)
    evidence = item(world).evidence
    checklist.unconfirm(item(world), by=world.actor("mia"), reason="a slip")
    assert world.phase("company").state == "requested"
    checklist.confirm(item(world), by=world.actor("mia"), evidence=evidence)
    assert world.phase("company").state == "approved"
    assert world.do("start", "company", "mia").state == "active"


@pytest.mark.parametrize("job_sees_the_return", [True, False])
def test_a_role_that_is_lost_and_given_back_counts_again(world, job_sees_the_return):
    world.up_to("team", "approved")
    approver = Group.objects.get(name="approver")
    world.people["alice"].groups.clear()
    world.sync()
    assert world.phase("team").state == "requested"
    world.people["alice"].groups.add(approver)
    if job_sees_the_return:
        world.sync()
        assert world.phase("team").state == "approved"
    with pytest.raises(Refused) as found:
        world.do("approve", "team", "alice")
    assert found.value.codes <= {"granted", "decided", "state"}
    assert world.do("start", "team", "mia").state == "active"
