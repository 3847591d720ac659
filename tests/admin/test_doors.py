"""Who may enter the admin, and that no form, action or address there passes the walls by."""

from datetime import timedelta
from functools import partial

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from rollouts.audit.recording import recorded
from rollouts.models import (
    AIModel,
    AuditEvent,
    ChecklistItem,
    GitLabActor,
    IncidentSource,
    MetricSample,
    Phase,
    PlanTemplate,
    RampStep,
    Rollout,
    TrackedIssue,
)
from rollouts.services import calendars, feed_keys, locks, tokens
from rollouts.services.instances import default_instance
from tests.admin.pages import form_of
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db
CALENDAR = b"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:test
BEGIN:VEVENT
UID:1
SUMMARY:Freeze
DTSTAMP:20300101T000000Z
DTSTART:20300101T000000Z
DTEND:20300102T000000Z
END:VEVENT
END:VCALENDAR
"""
ALL = [
    "rollouts/rollout", "rollouts/phase", "rollouts/checklistitem", "rollouts/aimodel", "rollouts/plantemplate",
    "rollouts/gitlabinstance", "rollouts/gitlabproject", "rollouts/gitlabactor", "rollouts/featureflag",
    "rollouts/flagreading", "rollouts/trackedissue", "rollouts/syncrun", "rollouts/auditevent", "auth/user", "auth/group",
    "rollouts/approvalrequest", "rollouts/override", "rollouts/changelock", "rollouts/lockcalendar",
    "rollouts/incidentsource", "rollouts/gitlabwrite", "rollouts/apitoken", "rollouts/feedkey", "rollouts/metricsample",
]  # fmt: skip
RECORDS = [
    "flagreading", "syncrun", "auditevent", "gitlabactor", "approvalrequest", "override", "changelock", "lockcalendar",
    "gitlabwrite", "apitoken", "feedkey", "metricsample",
]  # fmt: skip
NEVER_DELETED = [*RECORDS, "rollout", "phase", "checklistitem"]


@pytest.fixture
def walked(world, settings):
    """A world with something in every list."""
    settings.GITLAB_WRITES = "issues"
    world.remembered("something in every list", partial(walk, world))
    return world


def walk(world):
    world.up_to("team", "approved")
    root, now = world.actor("root"), timezone.now().replace(tzinfo=None)  # local times; the zone is named apart
    with recorded("test", by=root):
        IncidentSource.objects.create(instance=default_instance(), path="acme/production", labels=["severity::1"])
    world.do("start", "team", "root", reason="the incidents were not read yet", override=True, confirm="haiku")
    clocks = now.replace(tzinfo=None)  # what the clocks of UTC show
    freeze = {"starts": clocks + timedelta(hours=1), "ends": clocks + timedelta(hours=2)}
    locks.add({"title": "Freeze", "kind": "once", **freeze}, by=root)
    calendars.import_calendar("freezes", CALENDAR, by=root)
    MetricSample.of(world.rollout().pk, "latency_p95", timezone.now(), 900.0, 880.0).save()
    for name in ("mia", "alice", "root"):
        tokens.issue(world.people[name], "report", by=world.actor(name))
        feed_keys.renew(world.people[name], by=world.actor(name))


def first(label, name="root"):
    """Something in this list that this person may look at."""
    from django.apps import apps

    things = apps.get_model(label.replace("/", ".")).objects.all()
    if label in ("rollouts/apitoken", "rollouts/feedkey"):
        things = things.filter(person__username=name)  # others' tokens and feeds are nobody's business
    return things.first()


def fingerprint():
    """Everything that somebody could have changed."""
    models = (Rollout, Phase, RampStep, ChecklistItem, AIModel, PlanTemplate, GitLabActor)
    return [list(model.objects.order_by("pk").values()) for model in models] + [
        list(User.objects.order_by("pk").values("pk", "username", "is_superuser", "is_active", "password")),
        sorted(User.groups.through.objects.values_list("user_id", "group_id")),
        AuditEvent.objects.count(),
    ]


@pytest.mark.parametrize("path", ["/admin/", "/admin/rollouts/rollout/", "/admin/auth/user/add/"])
def test_who_is_not_signed_in_is_sent_to_the_portals_page(client, db, path):
    response = client.get(path, follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/")
    assert response.templates[0].name == "registration/login.html"


@pytest.mark.parametrize("path", ["/admin/", *(f"/admin/{label}/" for label in ALL), "/admin/password_change/"])
def test_a_viewer_is_told_in_a_sentence_why_not(world, path):
    response = signed_in(world, "vic").get(path)
    assert response.status_code == 403
    assert "for managers, approvers, auditors and admins" in response.content.decode()


def test_being_staff_opens_nothing(world):
    User.objects.filter(username="vic").update(is_staff=True)
    assert signed_in(world, "vic").get("/admin/").status_code == 403


@pytest.mark.parametrize("name", ["mia", "alice", "root"])
def test_every_list_and_page_opens_for_the_others(walked, name):
    client = signed_in(walked, name)
    pages = [
        f"/admin/{label}/{page}"
        for label in ALL
        for page in ("", f"{first(label, name).pk}/change/", f"{first(label, name).pk}/history/")
    ]
    assert {page: status for page in pages if (status := client.get(page).status_code) != 200} == {}


@pytest.mark.parametrize("name", ["vic", "mia", "alice"])
def test_only_admins_change_anything(walked, name):
    client, before = signed_in(walked, name), fingerprint()
    for label in ALL:
        try_to_change(client, label, first(label), walked.people["root"])
        assert fingerprint() == before, label


def try_to_change(client, label, thing, root):
    fields = {
        "name": "x",
        "title": "x",
        "slug": "x",
        "state": "completed",
        "actors": "",
        "username": "x",
        "groups": "1",
    }
    for path in (f"/admin/{label}/add/", f"/admin/{label}/{thing.pk}/change/", f"/admin/{label}/{thing.pk}/delete/"):
        assert client.post(path, {**fields, "post": "yes"}).status_code == 403, path
    client.post(f"/admin/{label}/", {"action": "delete_selected", "_selected_action": [thing.pk], "post": "yes"})
    client.post(f"/admin/auth/user/{root.pk}/password/", {"password1": "abcd1234x", "password2": "abcd1234x"})


def test_not_even_admins_delete_what_happened(walked):
    client, before = signed_in(walked, "root"), fingerprint()
    for name in NEVER_DELETED:
        thing = first(f"rollouts/{name}")
        assert client.post(f"/admin/rollouts/{name}/{thing.pk}/delete/", {"post": "yes"}).status_code == 403, name
        chosen = {"action": "delete_selected", "_selected_action": [thing.pk], "post": "yes"}
        client.post(f"/admin/rollouts/{name}/", chosen)
        assert fingerprint() == before, name


def test_not_even_admins_edit_records(walked):
    client, before = signed_in(walked, "root"), fingerprint()
    said = {"actor": "nobody", "gitlab_id": "User:1", "gates": "{}"}
    for name in RECORDS:
        for path in ("add/", f"{first(f'rollouts/{name}').pk}/change/"):
            assert client.post(f"/admin/rollouts/{name}/{path}", said).status_code == 403, (name, path)
        assert fingerprint() == before, name


def test_a_state_in_the_form_changes_no_state(walked):
    client = signed_in(walked, "root")
    rollout, phase = walked.rollout(), walked.phase("company")
    for label, thing in (("rollout", rollout), ("phase", phase)):
        path = f"/admin/rollouts/{label}/{thing.pk}/change/"
        mischief = {
            "state": "completed",
            "version": 99,
            "drift": "none",
            "approved_by": "root",
            "completed_at_0": "2026-01-01",
        }
        posted = {**form_of(client, path), **mischief, "flag": 99, "slug": "stolen", "confirmed_at_0": "2026-01-01"}
        assert client.post(path, posted).status_code == 302
    assert walked.rollout().state == "underway"
    assert walked.rollout().flag_id == rollout.flag_id
    after = walked.phase("company")
    assert (after.state, after.version, after.approved_by) == ("planned", phase.version, "")


@pytest.mark.parametrize("state", ["requested", "approved", "active", "completed"])
def test_who_sees_the_model_is_fixed_once_a_phase_left_the_plan(world, state):
    world.up_to("team", state)
    phase, client = world.phase("team"), signed_in(world, "root")
    response = client.post(
        f"/admin/rollouts/phase/{phase.pk}/change/",
        {
            "actors": "user:eve",
            "groups": "everybody",
            "final_soak": "0",
            "steps-TOTAL_FORMS": 0,
            "steps-INITIAL_FORMS": 0,
        },
    )
    assert response.status_code == 403
    assert world.phase("team").actors == ["user:ann", "group:acme/code"]


def test_an_item_can_not_be_confirmed_in_the_admin(walked):
    client = signed_in(walked, "root")
    item = ChecklistItem.objects.get(key="decide_quota")
    path = f"/admin/rollouts/checklistitem/{item.pk}/change/"
    mischief = {
        "confirmed_by": "root",
        "confirmed_at_0": "2026-01-01",
        "confirmed_at_1": "10:00",
        "evidence": "I say so",
    }
    client.post(path, {**form_of(client, path), **mischief, "required": "", "kind": "manual", "title": "Quota?"})
    item.refresh_from_db()
    assert (item.confirmed_by, item.confirmed_at, item.required, item.kind) == ("", None, True, "decision")
    assert item.title == "Quota?"


def test_the_builtin_template_stays(world):
    template = PlanTemplate.objects.get(builtin=True)
    client = signed_in(world, "root")
    response = client.post(f"/admin/rollouts/plantemplate/{template.pk}/change/", {"title": "x", "document": "x: 1"})
    assert response.status_code == 403
    assert client.post(f"/admin/rollouts/plantemplate/{template.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_confidential_title_is_seen_in_no_answer_that_a_viewer_gets(walked):
    from tests.walk import SECRET_TITLE

    assert SECRET_TITLE in signed_in(walked, "mia").get("/admin/rollouts/trackedissue/").content.decode()
    for label in ALL:
        assert SECRET_TITLE not in signed_in(walked, "vic").get(f"/admin/{label}/").content.decode()


def test_a_list_costs_the_same_whatever_its_length(walked, django_assert_max_num_queries):
    client = signed_in(walked, "root")
    for label in ALL:
        client.get(f"/admin/{label}/")
        with django_assert_max_num_queries(16):
            client.get(f"/admin/{label}/")


def test_an_auditor_reads_everything_and_changes_nothing(walked, world, django_user_model):
    auditor = django_user_model.objects.create_user("rex", password="rollout")
    auditor.groups.add(Group.objects.get(name="auditor"))
    world.people["rex"] = auditor
    browser = signed_in(world, "rex")
    before = fingerprint()
    for address in ALL:
        assert browser.get(f"/admin/{address}/").status_code == 200, address
        assert browser.get(f"/admin/{address}/add/").status_code == 403, address
    issue = TrackedIssue.objects.filter(confidential=True).first()
    assert issue.title in browser.get(f"/admin/rollouts/trackedissue/{issue.pk}/change/").content.decode()
    assert issue.title in browser.get("/rollouts/haiku/").content.decode()
    assert any("confidential" in event for event in browser.get("/api/v1/audit?limit=100").json()["items"])
    rollout, phase = Rollout.objects.get(), Phase.objects.get(name="team")
    for path in (
        f"/admin/rollouts/rollout/{rollout.pk}/change/",
        f"/rollouts/haiku/phases/{phase.name}/start/",
        f"/rollouts/haiku/phases/{phase.name}/roll_back/",
        "/rollouts/haiku/plan/",
        "/locks/",
        "/sync/now/",
    ):
        lock = {"kind": "once", "starts": "2031-01-01T10:00", "ends": "2031-01-01T11:00", "zone": "UTC"}
        assert browser.post(path, {"title": "x", "reason": "x", "plan": "x", **lock}).status_code in (403, 409), path
        assert fingerprint() == before, path
