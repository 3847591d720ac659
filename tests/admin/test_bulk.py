"""Bulk actions: the page that asks says what happens to each row, each row goes through its service, refusals in words."""

import pytest
from django.contrib.auth.models import User

from rollouts.models import (
    AIModel,
    ApiToken,
    AuditEvent,
    ChecklistItem,
    FeatureFlag,
    GitLabInstance,
    GitLabWrite,
    SyncScope,
)
from rollouts.services import tokens
from tests.admin.pages import answer, text

pytestmark = pytest.mark.django_db


def act(client, label, action, things, **said):
    """The question, and with ``said`` the answer, which brings back what the page of the question held."""
    chosen = {"action": action, "_selected_action": [thing.pk for thing in things]}
    page = client.post(f"/admin/{label}/", chosen)
    return answer(client, label, action, things, page, **said) if said else page


def test_the_question_says_what_happens_to_each_and_changes_nothing(world, client_of):
    world.up_to("team", "requested")
    first = world.rollout()
    world.plan |= {"slug": "other", "title": "Other"}
    world.apply()
    other, count = world.rollout("other"), AuditEvent.objects.count()
    page = text(act(client_of("mia"), "rollouts/rollout", "withdraw", [first, other]))
    assert "1 will be done" in page
    assert "1 refused" in page
    assert "The request for Owning team is withdrawn." in page
    assert "No request of it is open." in page
    assert AuditEvent.objects.count() == count
    world.plan["slug"] = "haiku"
    assert world.phase("team").state == "requested"

    page = text(act(client_of("mia"), "rollouts/rollout", "withdraw", [first, other], reason="the plan changed"))
    assert "1 done." in page
    assert "Not done. Other: No request of it is open." in page
    assert world.phase("team").state == "planned"
    event = AuditEvent.objects.newest_first().first()
    assert (event.verb, event.actor, event.source, event.reason) == (
        "phase.withdraw",
        "mia",
        "admin",
        "the plan changed",
    )


def test_an_answer_without_a_reason_is_asked_again(world, client_of):
    world.apply()
    rollout = world.rollout()
    posted = {"action": "abandon", "_selected_action": [rollout.pk], "confirmed": "yes", "reason": " "}
    response = client_of("mia").post("/admin/rollouts/rollout/", posted)
    assert response.status_code == 200
    assert "required" in text(response)
    assert world.rollout().state == "draft"
    act(client_of("mia"), "rollouts/rollout", "abandon", [rollout], reason="another model won")
    assert world.rollout().state == "abandoned"


def test_a_live_rollout_is_not_abandoned_but_paused(world, client_of):
    world.up_to("company", "active")
    rollout, mia = world.rollout(), client_of("mia")
    page = text(act(mia, "rollouts/rollout", "abandon", [rollout], reason="hurry"))
    assert "roll it back first" in page
    assert world.rollout().state == "underway"
    act(mia, "rollouts/rollout", "pause", [rollout], reason="look first")
    assert world.phase("company").state == "paused"


@pytest.mark.parametrize(
    ("name", "label", "action"),
    [
        ("vic", "rollouts/rollout", "abandon"),
        ("alice", "rollouts/rollout", "abandon"),
        ("mia", "auth/user", "give_role"),
        ("mia", "rollouts/aimodel", "retire"),
        ("mia", "rollouts/gitlabinstance", "check_hooks"),
    ],
)
def test_who_has_not_the_role_does_nothing(world, client_of, name, label, action):
    world.apply()
    from django.apps import apps

    thing, count = apps.get_model(label.replace("/", ".")).objects.first(), AuditEvent.objects.count()
    act(client_of(name), label, action, [thing], reason="x", role="admin", day="2030-01-01")
    assert AuditEvent.objects.count() == count


def test_roles_are_given_and_taken_but_the_last_door_stays_open(world, client_of):
    root, vic = client_of("root"), world.people["vic"]
    page = text(act(root, "auth/user", "give_role", [vic, world.people["mia"]]))
    assert "Now: manager." in page
    page = text(act(root, "auth/user", "give_role", [vic, world.people["mia"]], role="manager"))
    assert "vic is manager." in page
    assert "mia is manager already." in page
    event = AuditEvent.objects.newest_first().first()
    assert (event.verb, event.before, event.after) == (
        "person.give_role",
        {"groups": ["viewer"]},
        {"groups": ["manager", "viewer"]},
    )
    page = text(act(root, "auth/user", "take_role", [world.people["root"], vic], role="admin"))
    assert "from yourself" in page
    assert "vic is not admin." in page
    assert User.objects.filter(username="root", groups__name="admin").exists()


def test_models_get_a_day_of_retirement_and_it_is_told_who_goes_live_on_them(world, client_of):
    world.up_to("team", "active")
    root, model = client_of("root"), world.rollout().ai_model
    assert "It is going live in Claude Haiku." in text(act(root, "rollouts/aimodel", "retire", [model]))
    act(root, "rollouts/aimodel", "retire", [model], day="2030-02-03")
    assert str(AIModel.objects.get(pk=model.pk).deprecated_on) == "2030-02-03"
    page = text(act(root, "rollouts/aimodel", "retire", [model], day="2030-02-03"))
    assert "retires on 3 Feb 2030 already" in page
    act(root, "rollouts/aimodel", "retire", [model], day="")
    assert AIModel.objects.get(pk=model.pk).deprecated_on is None


def test_items_are_confirmed_with_evidence_and_automatic_ones_refuse(world, client_of):
    world.apply()
    manual, automatic = ChecklistItem.objects.get(key="considerations"), ChecklistItem.objects.get(key="flag_exists")
    page = text(
        act(
            client_of("mia"), "rollouts/checklistitem", "confirm", [manual, automatic], evidence="https://x.example.com"
        )
    )
    assert "checks itself from GitLab" in page
    manual.refresh_from_db()
    assert (manual.confirmed_by, manual.evidence) == ("mia", "https://x.example.com")
    act(client_of("mia"), "rollouts/checklistitem", "unconfirm", [manual], reason="wrong link")
    manual.refresh_from_db()
    assert manual.confirmed_at is None


def test_overrides_are_reviewed_by_somebody_else(world, client_of):
    world.up_to("team", "approved")
    world.gitlab.state.set_feature("use_haiku", "true")
    world.sync()
    world.do("start", "team", "root", reason="we know", override=True, confirm="haiku")
    override = world.phase("team").overrides.get()
    page = text(act(client_of("root"), "rollouts/override", "review", [override], verdict="mine"))
    assert "somebody else must review it" in page
    act(client_of("alice"), "rollouts/override", "review", [override], verdict="It was right.")
    override.refresh_from_db()
    assert (override.reviewed_by, override.verdict) == ("alice", "It was right.")


def test_flags_issues_and_instances_are_read_soon(world, client_of, monkeypatch):
    rung = []
    monkeypatch.setattr("rollouts.tasks.ring_readers", lambda instance: rung.append(instance.name))
    world.apply()
    world.sync()
    root, flag = client_of("root"), FeatureFlag.objects.get(name="use_haiku")
    assert "Workers read it in a few seconds." in text(act(root, "rollouts/featureflag", "read", [flag]))
    assert rung == []
    act(root, "rollouts/featureflag", "read", [flag], yes="1")
    assert SyncScope.objects.get(project=None).hinted_at is not None
    instance = GitLabInstance.objects.get(name="gitlab")
    assert "It is being read." in text(act(root, "rollouts/gitlabinstance", "sync", [instance], yes="1"))
    assert "under way already" in text(act(root, "rollouts/gitlabinstance", "sync", [instance], yes="1"))
    assert rung == ["gitlab", "gitlab"]
    assert "It has no secret for webhooks" in text(act(root, "rollouts/gitlabinstance", "check_hooks", [instance]))


def test_webhooks_are_checked_project_by_project(world, client_of, settings):
    settings.GITLAB_WEBHOOK_SECRET = "s" * 32
    world.apply()
    world.sync()
    instance = GitLabInstance.objects.get(name="gitlab")
    page = text(act(client_of("root"), "rollouts/gitlabinstance", "check_hooks", [instance], yes="1"))
    assert "acme/app: missing." in page


def test_tokens_are_revoked_by_their_person_or_an_admin(world, client_of):
    token, _ = tokens.issue(world.people["mia"], "report", by=world.actor("mia"))
    act(client_of("alice"), "rollouts/apitoken", "revoke", [token], yes="1")
    assert ApiToken.objects.get(pk=token.pk).revoked_at is None
    act(client_of("mia"), "rollouts/apitoken", "revoke", [token], yes="1")
    assert ApiToken.objects.get(pk=token.pk).revoked_at is not None
    assert "was revoked already" in text(act(client_of("root"), "rollouts/apitoken", "revoke", [token]))


def test_the_outbox_is_cancelled_with_a_reason(world, client_of, settings):
    settings.GITLAB_WRITES = "issues"
    world.up_to("team", "requested")
    write = GitLabWrite.objects.filter(state="waiting").first()
    page = text(act(client_of("mia"), "rollouts/gitlabwrite", "again", [write]))
    assert "It is waiting." in page
    act(client_of("mia"), "rollouts/gitlabwrite", "cancel", [write], reason="said by hand")
    write = GitLabWrite.objects.get(pk=write.pk)
    assert (write.state, write.words) == ("cancelled", "mia: said by hand")


def test_requests_are_rejected_from_their_list_and_answered_on_their_page(world, client_of):
    world.up_to("team", "requested")
    request, alice = world.phase("team").requests.get(), client_of("alice")
    page = text(alice.get(f"/admin/rollouts/approvalrequest/{request.pk}/change/"))
    phase = world.phase("team")
    assert f"/admin/rollouts/phase/{phase.pk}/transition/approve/" in page
    act(alice, "rollouts/approvalrequest", "reject", [request], reason="not yet")
    assert world.phase("team").state == "planned"
    assert "The request has ended: rejected." in text(act(alice, "rollouts/approvalrequest", "reject", [request]))
