"""Whose a write is: short claims that live with their worker, and wait for what a dead one may have sent."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from rollouts.models import AuditEvent, GitLabWrite
from rollouts.sync import claims, outbox, rate_limits
from tests.walk import FLAG, World


def gates(gitlab):
    return {gate["key"]: gate["value"] for gate in gitlab.state.feature(FLAG)["gates"]}


@pytest.mark.django_db(transaction=True)
def test_a_slow_gitlab_keeps_the_claim_as_long_as_its_worker_lives(transactional_db, gitlab, settings):
    settings.GITLAB_WRITES, settings.OUTBOX_CLAIM_SECONDS = "flags", 3
    world = World.build(gitlab)
    world.up_to("company", "active")
    while outbox.work().ids:
        pass
    world.do("roll_back", "company", "mia", reason="wrong answers")
    gitlab.forget_requests()
    gitlab.delay(7, path=f"/features/{FLAG}", method="POST", times=1)
    first = threading.Thread(target=lambda: (outbox.work(), connections.close_all()))
    first.start()
    owed, taken = GitLabWrite.objects.filter(kind="set_gates").order_by("-pk"), []
    while owed[:1].get().state == "waiting":
        first.join(0.01)
    while first.is_alive():
        taken += [] if (write := outbox.claim()) is None else [write.kind]
        first.join(0.2)
    assert "set_gates" not in taken
    assert owed[:1].get().state == "done"
    sent = [each for each in gitlab.requests if each.method == "POST" and each.path.endswith(f"/features/{FLAG}")]
    assert len(sent) == 1
    assert "groups" not in gates(gitlab)


@pytest.fixture
def later(time_machine):
    return lambda seconds: time_machine.move_to(timezone.now() + timedelta(seconds=seconds))


def dies_sending(world, settings, verb, phase):
    """A worker has taken what this transition owes, and dies as it sends the call."""
    settings.GITLAB_WRITES = "flags" if verb != "request" else "issues"
    world.do(verb, phase, "mia", reason="because")
    write = outbox.claim()
    assert write is not None
    claims.about_to_send(write, rate_limits.longest_call())
    return write


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("verb", "phase", "state", "kind", "passes_on"),
    [
        ("roll_back", "company", ("company", "active"), "set_gates", 10),
        ("start", "team", ("team", "approved"), "set_gates", 10 + 25),  # it may still let somebody in
        ("request", "team", ("team", "planned"), "post_note", 10 + 25),  # it may still make a note
    ],
)
def test_a_dead_workers_claim_passes_on_once_nothing_bad_can_arrive(
    world, settings, later, verb, phase, state, kind, passes_on
):
    world.up_to(*state)
    world.confirm(phase)
    write = dies_sending(world, settings, verb, phase)
    assert write.kind == kind
    later(passes_on - 1)
    assert write.lane not in {each.lane for each in iter(outbox.claim, None)}
    later(2)
    again = next(each for each in iter(outbox.claim, None) if each.lane == write.lane)
    assert (again.pk, again.touched) == (write.pk, True)
    with pytest.raises(claims.Stopped):
        claims.about_to_send(write, rate_limits.longest_call())  # the first one was only asleep


@pytest.mark.django_db
def test_what_was_cancelled_is_sent_no_more_and_holds_its_lane_until_the_call_is_over(world, settings, later):
    from rollouts.services import outbox as owed

    world.up_to("company", "approved")
    write = dies_sending(world, settings, "start", "company")
    owed.cancel(write, by=world.actor("mia"), reason="not now")
    with pytest.raises(claims.Stopped):
        claims.about_to_send(write, rate_limits.longest_call())
    world.do("roll_back", "company", "mia", reason="not at all")
    lanes = [each.lane for each in iter(outbox.claim, None)]
    assert write.lane not in lanes
    later(36)
    assert write.lane in [each.lane for each in iter(outbox.claim, None)]
    assert AuditEvent.objects.filter(verb="outbox.cancel").count() == 1
