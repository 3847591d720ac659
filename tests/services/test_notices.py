"""People are told what concerns them: each event once for each person, and nothing that has become moot."""

from __future__ import annotations

from threading import Thread

import pytest
from django.db import connections

from rollouts.models import AuditEvent, Notice
from rollouts.portal.presenters import history
from rollouts.rules.approvals import blockers_of_approver
from rollouts.rules.notices import TELLS
from rollouts.services import notices
from rollouts.tasks import tell_people
from tests.portal.pages import browser, signed_in
from tests.services.templates import own_template

pytestmark = pytest.mark.django_db


def told(name):
    return list(Notice.objects.filter(person__username=name, dropped=False).values_list("event__verb", flat=True))


def asked(world):
    world.apply()
    world.do("request", "team", "mia")
    tell_people()


def test_who_may_approve_is_asked_and_who_asked_is_not(world):
    asked(world)
    approvers = {n.person.username for n in Notice.objects.filter(kind="asked")}
    assert approvers
    assert "mia" not in approvers
    request = world.facts().phase("team").request
    assert approvers == {name for name in world.people if not blockers_of_approver(request, world.actor(name).person)}


def test_only_who_the_policy_names_is_asked_and_no_author_of_the_plan(world):
    """As the inbox has it: who is told can do what they are told to do."""
    world.apply()
    world.do("request", "team", "mia")
    tell_people()
    for name in world.people:
        inbox = signed_in(world, name).get("/approvals/").context["mine"]
        assert bool(inbox) == ("phase.request" in told(name)), name


def test_who_has_said_yes_is_asked_no_more_while_another_yes_is_missing(world):
    own_template(world, "{needed: 2}")
    world.do("request", "team", "mia")
    tell_people()
    assert {"alice", "sam"} <= {n.person.username for n in Notice.objects.filter(kind="asked", dropped=False)}
    world.do("approve", "team", "alice")
    assert world.phase("team").state == "requested"
    tell_people()
    still = {n.person.username for n in Notice.objects.filter(kind="asked", dropped=False)}
    assert "alice" not in still
    assert "sam" in still


def test_whoever_works_again_tells_nobody_twice(world):
    asked(world)
    before = Notice.objects.count()
    tell_people()
    assert notices.work() == 0
    assert Notice.objects.count() == before > 0


def test_what_breaks_off_halfway_has_told_nobody_and_is_told_next(world, monkeypatch):
    world.apply()
    world.do("request", "team", "mia")
    with monkeypatch.context() as broken:
        broken.setattr(notices, "_drop_moot", lambda phases: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tell_people()
    assert not Notice.objects.exists()
    tell_people()
    assert Notice.objects.filter(kind="asked").exists()


def test_who_asked_hears_the_decision_and_nobody_is_asked_any_more(world):
    asked(world)
    name = Notice.objects.filter(kind="asked").first().person.username
    world.do("reject", "team", name, reason="too early")
    tell_people()
    assert "phase.reject" in told("mia")
    assert not Notice.objects.filter(kind="asked", dropped=False).exists()


def test_asked_and_withdrawn_before_anybody_was_told_is_told_to_nobody(world):
    world.apply()
    world.do("request", "team", "mia")
    world.do("withdraw", "team", "mia", reason="not yet")
    tell_people()
    assert not Notice.objects.filter(kind="asked", dropped=False).exists()


def test_asked_again_within_minutes_is_one_thing_to_do(world):
    asked(world)
    world.do("withdraw", "team", "mia", reason="not yet")
    world.do("request", "team", "mia")
    tell_people()
    people = [n.person_id for n in Notice.objects.filter(kind="asked", dropped=False)]
    assert people
    assert len(people) == len(set(people))


def test_what_is_old_is_no_news(world, time_machine):
    world.apply()
    world.do("request", "team", "mia")
    world.let_pass(time_machine, days=4)
    tell_people()
    assert not Notice.objects.filter(kind="asked").exists()


def test_every_verb_that_tells_somebody_is_one_that_the_history_knows():
    assert all(history.sentence(AuditEvent(verb=verb, object_name="x", after={}, before={})) for verb in TELLS)


def test_the_bell_counts_the_list_tells_and_each_leads_to_the_button(world):
    asked(world)
    name = Notice.objects.filter(kind="asked").first().person.username
    client = browser(name, "rollout")
    page = client.get("/notifications/").content.decode()
    request = world.phase("team").requests.get()
    assert f'href="/approvals/#request-{request.pk}"' in page
    assert f'id="request-{request.pk}"' in client.get("/approvals/").content.decode()
    assert client.get("/notifications/").context["bell"] == 1
    mine = Notice.objects.get(person__username=name)
    assert client.get(f"/notifications/{mine.pk}/read/").status_code == 405
    assert client.post(f"/notifications/{mine.pk}/read/").status_code == 303
    answer = client.get("/notifications/")
    assert answer.context["bell"] == 0
    assert answer.status_code == 200


def test_all_are_read_at_once_and_nobody_reads_for_another(world):
    asked(world)
    mine = Notice.objects.filter(kind="asked").first()
    assert browser("mia", "rollout").post(f"/notifications/{mine.pk}/read/").status_code == 404
    browser("mia", "rollout").post("/notifications/read/")
    mine.refresh_from_db()
    assert mine.read_at is None
    browser(mine.person.username, "rollout").post("/notifications/read/")
    mine.refresh_from_db()
    assert mine.read_at is not None


def test_a_place_that_there_is_not_is_said(world):
    world.apply()
    assert browser("mia", "rollout").get("/notifications/?after=nonsense").status_code == 422


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_tell_once(world):
    world.apply()
    world.do("request", "team", "mia")
    failed = []

    def tell():
        try:
            notices.work()
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    workers = [Thread(target=tell) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    notices.work()
    assert failed == []
    pairs = list(Notice.objects.values_list("event", "person"))
    assert len(pairs) == len(set(pairs)) > 0
