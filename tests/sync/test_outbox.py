"""The outbox: every effect in GitLab exactly once, in order, widened only from where the plan believes the flag."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, ChangeLock, GitLabWrite, Identity
from rollouts.services import locks, plans, wishes
from rollouts.services import outbox as owed
from rollouts.services.refusals import Refused
from rollouts.sync import outbox
from rollouts.tasks import tell_people
from tests.walk import FLAG

pytestmark = pytest.mark.django_db


@pytest.fixture
def flags(settings):
    settings.GITLAB_WRITES = "flags"


@pytest.fixture
def issues(settings):
    settings.GITLAB_WRITES = "issues"


@pytest.fixture
def later(time_machine):
    """``later(60)``: a minute goes by."""
    return lambda seconds: time_machine.move_to(timezone.now() + timedelta(seconds=seconds))


def work_all():
    """Until nothing is due."""
    while outbox.work().ids:
        pass


def gates(world):
    return {gate["key"]: gate["value"] for gate in world.gitlab.state.feature(FLAG)["gates"]}


def of(kind):
    return GitLabWrite.objects.filter(kind=kind)


def test_off_by_default_nothing_is_owed(world):
    world.up_to("team", "active")
    assert not GitLabWrite.objects.exists()
    assert not [r for r in world.gitlab.requests if r.method != "GET"]


def test_start_sets_the_gates_and_reads_them_back(world, flags):
    world.up_to("team", "approved")
    world.do("start", "team", "mia")
    (write,) = of("set_gates")
    assert (write.state, write.is_narrowing) == ("waiting", False)
    work_all()
    write.refresh_from_db()
    assert write.state == "done"
    assert sorted(gates(world)["actors"]) == ["Group:1", "User:2"] or len(gates(world)["actors"]) == 2
    phase = world.phase("team")
    assert phase.confirmed_at is not None
    told = list(AuditEvent.objects.filter(verb__startswith="outbox").order_by("pk").values_list("verb", flat=True))
    assert [verb for verb in told if "Note" not in verb][:2] == ["outbox.begin", "outbox.done"]


def test_the_whole_way_writes_itself(world, flags):
    world.up_to("everyone", "active")  # obey() sets what the outbox would: it finds it done
    work_all()
    world.advance("everyone")
    work_all()
    assert gates(world)["percentage_of_actors"] == 25
    world.advance("everyone")
    work_all()
    assert gates(world)["boolean"] is True or gates(world).get("percentage_of_actors") == 100
    assert set(of("set_gates").values_list("state", flat=True)) <= {"done", "cancelled"}


def test_rolling_back_wipes_and_sets_the_earlier_gates_again(world, flags):
    world.up_to("everyone", "active")
    work_all()
    world.do("roll_back", "everyone", "mia", reason="latency doubled")
    work_all()
    assert "percentage_of_actors" not in gates(world)
    assert gates(world)["groups"] == ["acme_team_members"]
    assert len(gates(world)["actors"]) == 2
    assert world.rollout().drift == "none"


def test_a_roll_back_waits_for_gitlab_as_long_as_it_takes(world, flags, later):
    world.up_to("company", "active")
    work_all()
    world.gitlab.fail(status=500)
    world.do("roll_back", "company", "mia", reason="wrong answers")
    for hours in (1, 30, 60):
        later(hours * 3600)
        work_all()
    write = of("set_gates").latest("pk")
    assert write.state == "begun"
    assert "500" in write.words
    world.gitlab.heal()
    later(3600)
    work_all()
    write.refresh_from_db()
    assert write.state == "done"
    assert "groups" not in gates(world)


def test_a_way_on_is_given_up_loudly_after_a_day(world, flags, later):
    world.up_to("team", "approved")
    world.do("start", "team", "mia")
    world.gitlab.fail(status=502)
    work_all()
    later(25 * 3600)
    work_all()
    (write,) = of("set_gates")
    assert write.state == "given_up"
    assert AuditEvent.objects.filter(verb="outbox.given_up").exists()
    world.gitlab.heal()
    later(60)  # GitLab is left alone for a while after it has failed
    owed.again(write, by=world.actor("mia"))
    work_all()
    write.refresh_from_db()
    assert write.state == "done"


def test_a_flag_that_somebody_else_set_is_not_widened(world, flags):
    world.up_to("company", "approved")
    world.do("start", "company", "mia")
    world.gitlab.state.set_feature(FLAG, "7", key="percentage_of_actors")
    work_all()
    write = of("set_gates").latest("pk")
    assert write.state == "given_up"
    assert "somebody else has set the flag" in write.words
    assert gates(world)["percentage_of_actors"] == 7
    assert "groups" not in gates(world)


def test_a_lock_that_comes_after_the_start_holds_the_flag(world, flags, later):
    world.up_to("team", "approved")
    world.do("start", "team", "mia")
    now = world.now().replace(tzinfo=None)
    lock = locks.add(
        {"title": "freeze", "kind": "once", "starts": now - timedelta(hours=1), "ends": now + timedelta(hours=2)},
        by=world.actor("mia"),
    )
    work_all()
    (write,) = of("set_gates")
    assert (write.state, "freeze" in write.words) == ("begun", True)
    assert FLAG not in world.gitlab.state.table("features")
    locks.end(ChangeLock.objects.get(pk=lock.pk), by=world.actor("mia"), reason="over")
    later(600)
    work_all()
    write.refresh_from_db()
    assert write.state == "done"


def test_what_was_overridden_is_not_held_by_the_lock(world, flags):
    world.up_to("team", "approved")
    now = world.now().replace(tzinfo=None)
    said = {"title": "freeze", "kind": "once", "starts": now - timedelta(hours=1), "ends": now + timedelta(hours=2)}
    locks.add(said, by=world.actor("mia"))
    world.do("start", "team", "root", reason="the cure", override=True, confirm="haiku")
    work_all()
    assert of("set_gates").get().state == "done"


@pytest.mark.parametrize("how", ["drop", "status"])
def test_an_answer_that_is_lost_after_the_work_doubles_nothing(world, issues, how, later):
    world.apply()
    world.sync()
    world.confirm()
    world.confirm("team")
    before = len(world.gitlab.state.issue("acme/app", 12)["notes"])
    world.gitlab.fail(how=how, status=500, after=True, method="POST", times=1)
    world.do("request", "team", "mia")
    work_all()
    (write,) = of("post_note")
    assert write.state == "begun"
    later(60)
    work_all()
    write.refresh_from_db()
    assert write.state == "done"
    notes = world.gitlab.state.issue("acme/app", 12)["notes"][before:]
    assert len(notes) == 1
    assert "**mia** asked for **Owning team**" in notes[0]["body"]
    assert f"model-rollout-portal:{write.marker}" in notes[0]["body"]


def test_missing_issues_are_made_once_from_the_template_and_linked(world, issues, later):
    document = world.document().replace(f"  internal_feedback: {world.gitlab.url}/acme/app/-/issues/14\n", "")
    world.gitlab.fail(how="drop", after=True, method="POST", times=1)
    plans.apply(document, by=world.actor("mia"), source="plan.yaml")
    plans.apply(document, by=world.actor("mia"), source="plan.yaml")
    (write,) = of("create_issue")
    work_all()
    later(60)
    work_all()
    write.refresh_from_db()
    assert write.state == "done"
    found = [i for i in world.gitlab.state.table("issues", world.gitlab.state.project("acme/app")["id"]).values()
             if i["title"] == "Internal feedback: Claude Haiku"]  # fmt: skip
    assert len(found) == 1
    assert "claude-haiku" in found[0]["description"]
    world.sync()
    link = world.rollout().issue_links.get(role="internal_feedback")
    assert (link.issue.iid, link.issue.found) == (found[0]["iid"], True)


def test_a_refusal_of_gitlab_is_told_in_its_words(world, flags):
    world.gitlab.state.require_definitions = True
    world.gitlab.state.remove_flag_definition(FLAG)
    world.up_to("team", "planned")
    write = _owed_by_hand(world)
    work_all()
    write.refresh_from_db()
    assert write.state == "given_up"


def _owed_by_hand(world):
    from rollouts.audit.recording import recorded

    rollout = world.rollout()
    with recorded("test", by=world.actor("root")):
        return GitLabWrite.objects.create(
            kind="post_note",
            lane="issue:0",
            instance=rollout.flag.instance,
            rollout=rollout,
            title="a note on an issue that is not there",
            payload={"project": "acme/app", "iid": 4711, "body": "x"},
            asked_by="root",
            asked_at=world.now(),
            next_attempt_at=world.now(),
        )


def test_what_waits_is_cancelled_and_what_is_done_is_not(world, flags):
    world.up_to("team", "approved")
    world.do("start", "team", "mia")
    (write,) = of("set_gates")
    for by, reason, code in (("vic", "x", "role"), ("mia", " ", "reason_missing")):
        with pytest.raises(Refused) as refused:
            owed.cancel(write, by=world.actor(by), reason=reason)
        assert refused.value.codes == {code}
    assert owed.cancel(write, by=world.actor("mia"), reason="by hand").state == "cancelled"
    work_all()
    assert FLAG not in world.gitlab.state.table("features")
    with pytest.raises(Refused) as refused:
        owed.cancel(write, by=world.actor("mia"), reason="again")
    assert refused.value.codes == {"ended"}


def test_writes_of_one_lane_keep_their_order(world, issues):
    world.up_to("team", "active")
    lane = of("post_note").first().lane
    order = list(of("post_note").filter(lane=lane).order_by("pk").values_list("pk", flat=True))
    assert len(order) == 3
    first = outbox.claim()
    assert first.pk == order[0]
    assert outbox.claim() is None  # the first of the lane is at work


def test_a_roll_back_lets_nobody_in_whom_somebody_has_taken_out(world, flags):
    world.up_to("everyone", "active")
    work_all()
    world.gitlab.state.set_feature(FLAG, "false")
    world.do("roll_back", "everyone", "mia", reason="latency")
    work_all()
    write = of("set_gates").latest("pk")
    assert (write.state, "nobody was let in again" in write.words) == ("given_up", True)
    assert "groups" not in gates(world)


def test_a_worker_that_died_after_the_wipe_is_finished_by_the_next(world, flags, later):
    world.up_to("everyone", "active")
    work_all()
    world.do("roll_back", "everyone", "mia", reason="latency")
    world.gitlab.fail(path="/features/", method="POST", status=502, every=2)  # the wipe passes, what follows does not
    outbox.work()
    assert "groups" not in gates(world)
    world.gitlab.heal()
    later(60)
    work_all()
    assert gates(world)["groups"] == ["acme_team_members"]
    assert len(gates(world)["actors"]) == 2
    assert of("set_gates").latest("pk").state == "done"


def test_nothing_of_an_abandoned_rollout_waits_for_approval(world):
    from rollouts.models import ApprovalRequest
    from rollouts.services import transitions

    world.up_to("team", "requested")
    transitions.perform_on_rollout("abandon", world.rollout(), by=world.actor("mia"), reason="another model")
    assert ApprovalRequest.objects.get().state == "withdrawn"
    assert world.phase("team").state == "planned"


@pytest.mark.parametrize("where", ["_post_note", "_link_or_end"])
def test_a_fault_of_our_own_is_noted_tried_again_and_given_up_loudly(world, issues, later, monkeypatch, where):
    world.up_to("team", "planned")
    broken = _owed_by_hand(world)
    world.do("request", "team", "mia")

    def breaks(*args, **kwargs):
        raise ZeroDivisionError("a fault of our own")

    really = outbox.writes._post_note
    if where == "_post_note":
        monkeypatch.setattr(
            outbox.writes,
            "_post_note",
            lambda gitlab, write: breaks() if write.pk == broken.pk else really(gitlab, write),
        )
    else:
        ends = outbox._end
        monkeypatch.setattr(
            outbox,
            "_end",
            lambda write, **how: (
                breaks()
                if write.pk == broken.pk and not how.get("words", "").startswith("Not done")
                else ends(write, **how)
            ),
        )
    work_all()
    broken.refresh_from_db()
    assert (broken.state, "ZeroDivisionError" in broken.words, broken.claimed_until) == ("begun", True, None)
    assert set(of("post_note").exclude(pk=broken.pk).values_list("state", flat=True)) == {"done"}
    later(25 * 3600)
    work_all()
    broken.refresh_from_db()
    assert broken.state == "given_up"
    assert "see the log" in broken.words
    assert AuditEvent.objects.filter(verb="outbox.given_up").exists()


def test_who_is_asked_and_gets_no_mail_is_mentioned_by_their_proved_name_alone(world, issues, settings):
    settings.OIDC_ISSUER = world.gitlab.url
    world.apply(title="/close @everybody")
    for name, handle in (("alice", "alice.gl"), ("sam", "sam.gl")):
        with recorded("identity.link", by=world.actor(name)) as recording:
            person = world.people[name]
            recording.about = Identity.objects.create(
                person=person, issuer=world.gitlab.url, subject=f"{person.pk}", username=handle
            )
    wishes.choose(world.people["sam"], world.actor("sam"), by_mail={"asked": "off"})
    world.do("request", "team", "mia")
    tell_people()
    tell_people()
    work_all()
    notes = [note["body"] for note in world.gitlab.state.issue("acme/app", 12)["notes"]]
    mentions = [note for note in notes if "@" in note]
    (body,) = mentions
    assert body.startswith(
        "@alice.gl: **mia** asks for your approval of **Owning team**. http://localhost:8000/rollouts/haiku/#phase-team"
    )
    assert world.gitlab.state.issue("acme/app", 12)["state"] == "opened"


def test_who_is_mailed_is_not_mentioned_too(world, issues, settings):
    settings.OIDC_ISSUER, settings.SENDS_MAIL = world.gitlab.url, True
    world.apply()
    person = world.people["alice"]
    User.objects.filter(pk=person.pk).update(email="alice@example.com")
    with recorded("identity.link", by=world.actor("alice")) as recording:
        recording.about = Identity.objects.create(
            person=person, issuer=world.gitlab.url, subject=f"{person.pk}", username="alice.gl"
        )
    world.do("request", "team", "mia")
    tell_people()
    work_all()
    assert not [note for note in world.gitlab.state.issue("acme/app", 12)["notes"] if "@" in note["body"]]
