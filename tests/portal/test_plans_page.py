"""Planning by form: what is wrong stands beside the field, and another practice brings its own fields."""

import pytest

from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, PlanTemplate, Rollout
from tests.portal.pages import signed_in, words

pytestmark = pytest.mark.django_db
OTHER = """
template: search
title: Search ranking
phases:
  - {name: desk, title: Search desk, audience: actors, optional: true}
  - {name: canary, title: Canary customers, audience: groups}
  - {name: world, title: The world, audience: everyone, steps: [5, 100], soak: 1h, final_soak: 2h}
items:
  - {key: ticket, title: The ticket exists, kind: issue, role: ticket}
"""


@pytest.fixture
def form(world):
    return {
        "by_form": "1", "title": "Haiku", "rollout": "by-form", "model": "haiku-4-5", "flag": "use_haiku",
        "template": "code_suggestions", "team": "user:ann", "company": "acme_team_members", "method": "percentage",
        "steps": "1 50 100", "soak": "1d", "final_soak": "1d",
        "rollout_plan": f"{world.gitlab.url}/acme/app/-/issues/11",
    }  # fmt: skip


@pytest.fixture
def other(db):
    with recorded("template.load", by=Actor.system_user()):
        return PlanTemplate.objects.create(slug="search", title="Search ranking", document=OTHER)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("steps", "50 1 100", "Steps must rise"),
        ("steps", "1 ten 100", "'ten' is no percentage from 0.001 to 100"),
        ("steps", "0,1 1 100", "0 is no percentage"),
        ("soak", "15", "write a duration"),
        ("final_soak", "3 years", "write a duration"),
        ("team", "alice", "does not say what it is"),
        ("company", "acme/team", "feature group"),
        ("rollout", "a/b", "is not a slug"),
        ("flag", "use/haiku", "slash"),
        ("model", "Claude Haiku", "short name of an AI model"),
        ("owners", "mia <b>", "is not a user name"),
        ("rollout_plan", "https://evil.example.com/a/b/-/issues/1", "is no GitLab that the portal knows"),
        ("internal_feedback", "not an address", "web address"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(world, form, field, value, message):
    world.apply()  # so that the instance is known
    events = AuditEvent.objects.count()
    response = signed_in(world, "mia").post("/rollouts/new/", {**form, field: value})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert message in response.context["form"].errors[field][0]
    assert response.context["faults"] == []
    assert "Nothing was made" in words(response)
    assert 'value="Haiku"' in words(response), "what was written is kept"
    assert AuditEvent.objects.count() == events
    assert not Rollout.objects.filter(slug="by-form").exists()


def test_all_at_once_needs_no_steps(world, form):
    assert signed_in(world, "mia").post("/rollouts/new/", {**form, "method": "all_at_once"}).status_code == 303
    assert Rollout.objects.get(slug="by-form").phases.get(name="everyone").audience == "all_at_once"


def test_the_form_has_the_phases_and_issues_of_its_template(world, form, other):
    client = signed_in(world, "mia")
    assert "?template=search" in words(client.get("/rollouts/new/"))
    page = words(client.get("/rollouts/new/?template=search"))
    for label in ("Search desk", "Canary customers", "The world", "Ticket issue", 'value="5 100"'):
        assert label in page
    assert "Owning team" not in page
    posted = {**form, "template": "search", "desk": "", "canary": "canaries", "ticket": form["rollout_plan"]}
    missing = client.post("/rollouts/new/", {**posted, "canary": ""})
    assert list(missing.context["form"].errors) == ["canary"]
    assert client.post("/rollouts/new/", posted).status_code == 303
    rollout = Rollout.objects.get(slug="by-form")
    assert [(phase.name, phase.groups) for phase in rollout.phases.order_by("position")] == [
        ("desk", []), ("canary", ["canaries"]), ("world", [])
    ]  # fmt: skip


def test_a_plan_for_another_rollout_is_refused_on_this_page(world):
    world.apply()
    response = signed_in(world, "mia").post("/rollouts/haiku/plan/", {"document": world.document(slug="other")})
    assert response.status_code == 422
    assert "the plan is for other, the address for haiku" in words(response)


def test_a_plan_applied_again_changes_nothing(world):
    world.apply()
    client, events = signed_in(world, "mia"), AuditEvent.objects.count()
    text = client.get("/rollouts/haiku/plan/?format=yaml").content.decode()
    assert client.post("/rollouts/haiku/plan/", {"document": text}).status_code == 303
    assert AuditEvent.objects.count() == events
