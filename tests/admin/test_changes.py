"""What admins change in the admin: each change is one event, in the same transaction, with before and after."""

import pytest
from django.contrib.auth.models import Group, User

from rollouts.models import (
    AIModel,
    AuditEvent,
    GitLabActor,
    GitLabInstance,
    GitLabProject,
    Phase,
    PlanTemplate,
    TrackedIssue,
)
from tests.admin.pages import form_of
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(world):
    return signed_in(world, "root")


def since(count):
    return list(AuditEvent.objects.order_by("pk")[count:])


def one_event(count):
    (event,) = since(count)
    assert (event.actor, event.source) == ("root", "admin")
    return event


def test_adding_changing_and_deleting_a_model_is_one_event_each(root):
    count = AuditEvent.objects.count()
    values = {"name": "Qwen", "slug": "qwen", "provider": "Alibaba", "default_for": "chat\ncompletion"}
    assert root.post("/admin/rollouts/aimodel/add/", values).status_code == 302
    model = AIModel.objects.get(slug="qwen")
    event = one_event(count)
    assert (event.verb, event.object_name, event.before) == ("admin.add", "Qwen", {})
    assert event.after["default_for"] == ["chat", "completion"]

    path = f"/admin/rollouts/aimodel/{model.pk}/change/"
    root.post(path, {**form_of(root, path), "quota_requests_per_minute": 500})
    event = one_event(count + 1)
    assert (event.verb, event.before, event.after) == (
        "admin.change", {"quota_requests_per_minute": None}, {"quota_requests_per_minute": 500}
    )  # fmt: skip

    root.post(path, form_of(root, path))
    assert len(since(count)) == 2, "saving without a change is no event"

    root.post(f"/admin/rollouts/aimodel/{model.pk}/delete/", {"post": "yes"})
    event = one_event(count + 2)
    assert (event.verb, event.object_name, event.after) == ("admin.delete", "Qwen", {})
    assert event.before["slug"] == "qwen"


def test_a_bulk_deletion_is_one_event_that_names_each(root):
    for name in ("a", "b", "c"):
        root.post("/admin/rollouts/aimodel/add/", {"name": name, "slug": name})
    count = AuditEvent.objects.count()
    chosen = list(AIModel.objects.filter(slug__in="abc").values_list("pk", flat=True))
    root.post("/admin/rollouts/aimodel/", {"action": "delete_selected", "_selected_action": chosen, "post": "yes"})
    assert not AIModel.objects.filter(slug__in="abc").exists()
    event = one_event(count)
    assert event.verb == "admin.delete"
    assert len(event.before) >= 3


def test_a_model_that_a_rollout_needs_is_kept_with_a_kind_word(world, root):
    world.apply()
    count = AuditEvent.objects.count()
    model = world.rollout().ai_model
    response = root.post(f"/admin/rollouts/aimodel/{model.pk}/delete/", {"post": "yes"}, follow=True)
    assert response.status_code == 200
    assert AIModel.objects.filter(pk=model.pk).exists()
    assert since(count) == []


def test_a_form_that_is_wrong_changes_nothing_and_says_why(root):
    count = AuditEvent.objects.count()
    response = root.post("/admin/rollouts/aimodel/add/", {"name": "", "slug": "a/b"})
    assert response.status_code == 200
    assert response.context["adminform"].form.errors.keys() == {"name", "slug"}
    assert since(count) == []


def test_a_planned_phase_is_edited_with_its_ramp_in_one_event(world, root):
    world.apply()
    phase = world.phase("everyone")
    count = AuditEvent.objects.count()
    path = f"/admin/rollouts/phase/{phase.pk}/change/"
    posted = form_of(root, path)
    posted |= {"final_soak": "2d", "steps-1-percentage": 30, "steps-1-soak": "1h", "steps-0-DELETE": "on"}
    assert root.post(path, posted).status_code == 302
    assert [step.percentage for step in world.phase("everyone").steps.all()] == [30, 100]
    event = one_event(count)
    assert (event.rollout.slug, event.chain, event.after["final_soak"]) == ("haiku", "rollout:haiku", 172800.0)


@pytest.mark.parametrize(
    ("posted", "words"),
    [
        ({"steps-2-percentage": 90}, "must end at 100"),
        ({"steps-0-percentage": 25}, "25"),
        ({"steps-0-percentage": 0}, "from 0.001 to 100"),
        ({"steps-0-percentage": "0.0001"}, "3 decimal"),
        ({"steps-0-soak": "15"}, "Write the unit"),
        ({"actors": "user:eve"}, "leave it empty"),
    ],
)
def test_a_ramp_that_is_none_is_refused_with_the_cure(world, root, posted, words):
    world.apply()
    phase, count = world.phase("everyone"), AuditEvent.objects.count()
    path = f"/admin/rollouts/phase/{phase.pk}/change/"
    response = root.post(path, {**form_of(root, path), **posted})
    assert response.status_code == 200
    assert words in response.content.decode()
    assert since(count) == []
    assert [step.percentage for step in world.phase("everyone").steps.all()] == [1, 25, 100]


def test_actors_are_checked_line_by_line_and_will_be_resolved(world, root):
    world.apply()
    phase = world.phase("team")
    path = f"/admin/rollouts/phase/{phase.pk}/change/"
    response = root.post(path, {**form_of(root, path), "actors": "user:ann\nalice"})
    assert "Line 2" in response.content.decode()
    assert root.post(path, {**form_of(root, path), "actors": "user:ann\nuser:new\nUser:42"}).status_code == 302
    assert world.phase("team").actors == ["user:ann", "user:new", "User:42"]
    assert GitLabActor.objects.filter(name="user:new").exists()


def test_an_edited_plan_makes_an_open_request_stale(world, root):
    """Team is asked for; company, still planned, is edited: what the approver looks at is no longer what was asked."""
    world.up_to("team", "requested")
    path = f"/admin/rollouts/phase/{world.phase('company').pk}/change/"
    root.post(path, {**form_of(root, path), "groups": "another_group"})
    request = world.facts().phase("team").request
    assert "“Whole company”" in request.changed[0]
    assert world.rollout().authors == ["mia", "root"]
    from rollouts.services.refusals import Refused

    with pytest.raises(Refused) as refused:
        world.do("approve", "team", "root")
    assert refused.value.codes == {"four_eyes"}


def test_a_template_is_copied_checked_and_kept(root):
    page = root.get("/admin/rollouts/plantemplate/add/?copy=code_suggestions")
    initial = page.context["adminform"].form.initial
    assert initial["slug"] == "code_suggestions_copy"
    assert root.post("/admin/rollouts/plantemplate/add/", {**initial, "title": "Ours"}).status_code == 302
    copy = PlanTemplate.objects.get(slug="code_suggestions_copy")
    count = AuditEvent.objects.count()
    response = root.post(
        f"/admin/rollouts/plantemplate/{copy.pk}/change/",
        {"title": "Ours", "slug": copy.slug, "document": "template: code_suggestions_copy\ntitel: x"},
    )
    assert "Did you mean" in response.content.decode()
    assert since(count) == []


def test_an_instance_with_passes_is_kept(world, root):
    world.apply()
    world.sync()
    instance = GitLabInstance.objects.get(name="gitlab")
    root.post(f"/admin/rollouts/gitlabinstance/{instance.pk}/delete/", {"post": "yes"})
    assert GitLabInstance.objects.filter(pk=instance.pk).exists()


def test_an_issue_is_followed_and_linked_by_its_role(world, root):
    world.apply()
    project = GitLabProject.objects.get(path="acme/app")
    assert root.post("/admin/rollouts/trackedissue/add/", {"project": project.pk, "iid": 99}).status_code == 302
    issue = TrackedIssue.objects.get(iid=99)
    path = f"/admin/rollouts/rollout/{world.rollout().pk}/change/"
    posted = form_of(root, path)
    total = int(posted["issue_links-TOTAL_FORMS"])
    posted |= {"issue_links-TOTAL_FORMS": total + 1, f"issue_links-{total}-role": "feedback"}
    posted |= {f"issue_links-{total}-issue": issue.pk, f"issue_links-{total}-phase_name": "team"}
    response = root.post(path, posted)
    assert "is no role of code_suggestions" in response.content.decode()
    count = AuditEvent.objects.count()
    assert root.post(path, {**posted, f"issue_links-{total}-role": "internal_feedback"}).status_code == 302
    assert one_event(count).rollout.slug == "haiku"


def test_giving_a_role_is_history_and_hashes_are_not(world, root):
    count = AuditEvent.objects.count()
    secret = "correct horse 1 battery"
    added = root.post("/admin/auth/user/add/", {
        "username": "new", "usable_password": "true", "password1": secret, "password2": secret})  # fmt: skip
    assert added.status_code == 302
    person = User.objects.get(username="new")
    path = f"/admin/auth/user/{person.pk}/change/"
    posted = {
        "groups": [Group.objects.get(name="approver").pk],
        "is_active": "on",
        "first_name": "N",
        "username": "other",
    }
    assert root.post(path, posted).status_code == 302
    person.refresh_from_db()
    assert person.username == "new", "history and four eyes go by the name"
    root.post(f"/admin/auth/user/{person.pk}/password/", {
        "usable_password": "true", "password1": secret + "2", "password2": secret + "2", "set-password": "1"})  # fmt: skip
    add, change, password = since(count)
    assert (add.verb, change.verb, password.verb) == ("admin.add", "admin.change", "admin.change")
    assert (change.before["groups"], change.after["groups"]) == ([], ["approver"])
    assert password.after == {"password": "changed"}
    told = "".join(f"{event.before}{event.after}{event.snapshot}{event.confidential}" for event in since(count))
    assert User.objects.get(username="new").password not in told
    assert "md5$" not in told
    assert secret not in told


def test_admins_do_not_shut_themselves_out(world, root):
    person = world.people["root"]
    response = root.post(f"/admin/auth/user/{person.pk}/change/", {"username": "root", "is_active": "on"})
    assert "from yourself" in response.content.decode()
    assert set(person.groups.values_list("name", flat=True)) == {"admin"}


def test_ones_own_password_changes_with_an_event(world, root):
    count = AuditEvent.objects.count()
    posted = {"old_password": "rollout", "new_password1": "four words in a row", "new_password2": "four words in a row"}
    assert root.post("/admin/password_change/", posted).status_code == 303
    assert one_event(count).after == {"password": "changed"}


def test_roles_keep_their_names(world, root):
    group = Group.objects.get(name="admin")
    assert root.post(f"/admin/auth/group/{group.pk}/change/", {"name": "nobody"}).status_code == 403
    assert root.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}).status_code == 403


# Transitions as buttons


def test_buttons_run_the_services_for_who_has_the_role(world):
    world.apply()
    world.sync()
    world.confirm()
    world.confirm("team")
    phase, mia = world.phase("team"), signed_in(world, "mia")
    page = mia.get(f"/admin/rollouts/phase/{phase.pk}/change/")
    assert "Ask for Owning team" in page.content.decode()
    response = mia.post(f"/admin/rollouts/phase/{phase.pk}/transition/request/", {"seen": phase.version})
    assert response.status_code == 303
    assert world.phase("team").state == "requested"
    event = AuditEvent.objects.newest_first().first()
    assert (event.verb, event.actor, event.source) == ("phase.request", "mia", "admin")

    again = mia.post(f"/admin/rollouts/phase/{phase.pk}/transition/approve/", {"looked_at": world.looked_at("team")})
    assert again.status_code == 409, "neither the role nor another pair of eyes"
    approve, alice = f"/admin/rollouts/phase/{phase.pk}/transition/approve/", signed_in(world, "alice")
    assert alice.post(approve).status_code == 409, "she names nothing that she looked at"
    assert alice.post(approve, {"looked_at": world.looked_at("team")}).status_code == 303
    late = mia.post(f"/admin/rollouts/phase/{phase.pk}/transition/start/", {"seen": phase.version})
    assert late.status_code == 409
    assert "Somebody was faster" in late.content.decode()


def test_a_refused_button_says_every_blocker_and_changes_nothing(world, root):
    world.apply()
    count = AuditEvent.objects.count()
    phase = world.phase("company")
    response = root.post(f"/admin/rollouts/phase/{phase.pk}/transition/skip/", {"reason": "hurry"})
    assert response.status_code == 409
    assert "Whole company is required: it can&#x27;t be skipped." in response.content.decode()
    assert Phase.objects.get(pk=phase.pk).state == "planned"
    assert since(count) == []


@pytest.mark.parametrize(("name", "status"), [("vic", 403), ("alice", 403)])
def test_buttons_ask_for_the_role(world, name, status):
    world.apply()
    phase = world.phase("team")
    response = signed_in(world, name).post(f"/admin/rollouts/phase/{phase.pk}/transition/request/")
    assert response.status_code == status
    assert world.phase("team").state == "planned"


def test_transitions_are_never_taken_by_get(world, root):
    world.apply()
    phase = world.phase("team")
    assert root.get(f"/admin/rollouts/phase/{phase.pk}/transition/request/").status_code == 405
    assert root.post(f"/admin/rollouts/phase/{phase.pk}/transition/fly/").status_code == 404
    assert world.phase("team").state == "planned"


def test_a_rollout_is_abandoned_with_a_reason(world, root):
    world.apply()
    path = f"/admin/rollouts/rollout/{world.rollout().pk}/transition/abandon/"
    assert root.post(path, {"reason": ""}).status_code == 409
    assert root.post(path, {"reason": "another model won"}).status_code == 303
    assert world.rollout().state == "abandoned"
    page = root.get(f"/admin/rollouts/rollout/{world.rollout().pk}/change/")
    assert 'name="_save"' not in page.content.decode()


def test_buttons_need_the_token_against_forgery(world):
    from django.test import Client

    world.apply()
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.people["root"])
    phase = world.phase("team")
    assert client.post(f"/admin/rollouts/phase/{phase.pk}/transition/request/").status_code == 403
