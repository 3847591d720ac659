"""What was seen to go wrong where two things happen at once: each in its smallest form, through the doors."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client

from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, IncidentSource
from rollouts.models.change_log import ChangedMeanwhile
from rollouts.services.instances import default_instance
from rollouts.sync import outbox
from tests.drills.portal import wait_until
from tests.services.threads import at_once
from tests.walk import FLAG, ISSUES, World


def beside(work):
    """Do it in a thread of its own, with a connection of its own."""
    thread = threading.Thread(target=lambda: (work(), connections.close_all()))
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_plans_that_are_applied_at_once_wait_for_each_other_and_end(transactional_db, gitlab):
    world = World.build(gitlab)
    slugs = ("haiku", "opus", "sonnet", "nova")
    for slug in slugs:
        world.apply(slug=slug, title=slug.title(), flag=f"use_{slug}")  # all of one AI model

    def apply(first):
        for number in range(8):
            slug = slugs[(first + number) % len(slugs)]
            text = world.document(slug=slug, title=slug.title(), flag=f"use_{slug}")
            # each changes the AI model, which shows on the rows of all of them
            world.apply_text(text.replace("60000", str(60_000 + 10 * number + first)))
        return "applied"

    assert at_once(*(lambda first=first: apply(first) for first in range(4))) == ["applied"] * 4


@pytest.mark.django_db(transaction=True)
def test_what_an_admin_saves_while_gitlab_is_asked_stays(transactional_db, gitlab):

    world = World.build(gitlab)
    world.apply()
    world.sync()
    with recorded("source.add", by=world.actor("root")):
        source = IncidentSource.objects.create(instance=default_instance(), path="acme/app", labels=["incident"])
    late = gitlab.delay(3, path="labels=incident", times=1)
    reading = beside(world.sync)
    wait_until(lambda: late.hits)
    root = Client()
    root.force_login(world.people["root"])
    values = {"instance": source.instance_id, "path": "acme/app", "labels": "severity::1"}
    answer = root.post(f"/admin/rollouts/incidentsource/{source.pk}/change/", values)
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    reading.join()
    source.refresh_from_db()
    assert source.labels == ["severity::1"]


@pytest.mark.django_db(transaction=True)
def test_what_the_outbox_reads_late_is_settled_for_every_rollout(transactional_db, gitlab, settings):
    world = World.build(gitlab)
    world.up_to("company", "active")
    assert world.rollout().drift == "none"
    gitlab.state.add_flag_definition("use_opus", type="beta", group="g", milestone="19.3", default_enabled=False)
    world.plan |= {"slug": "opus", "title": "Opus", "flag": "use_opus"}
    gitlab.state.add_project("acme/other")
    for role, iid in ISSUES.items():
        gitlab.state.add_issue("acme/other", role, iid=iid)
    world.apply_text(world.document().replace("/acme/app/", "/acme/other/"))
    world.sync()
    world.confirm()
    world.up_to("team", "approved")
    settings.GITLAB_WRITES = "flags"
    world.do("start", "team", "mia")
    late = gitlab.delay(4, path="/api/v4/features", method="GET", times=1)
    writing = beside(outbox.work)
    wait_until(lambda: late.hits)  # asked, and not answered yet
    world.sync()
    gitlab.state.set_feature(FLAG, "true")
    writing.join()
    world.sync()
    world.sync()
    assert world.rollout("haiku").flag.latest.exposure.is_everyone
    assert world.rollout("haiku").drift == "ahead"


@pytest.mark.django_db
def test_a_reading_is_told_in_the_history_of_the_rollout_that_is_live(world):
    world.up_to("company", "active")
    world.apply(slug="aardvark", title="Aardvark")  # before it by title, on the same flag, a draft
    world.gitlab.state.set_feature(FLAG, "25", key="percentage_of_actors")
    world.sync()
    newest = world.rollout("haiku").flag.reading
    told = AuditEvent.objects.filter(verb="flag.read", rollout__slug="haiku").latest("pk")
    assert newest.exposure.percentage_of_actors == 25
    assert told.after["read"] == world.rollout("haiku").flag.latest.words


@pytest.mark.django_db
def test_drift_that_begins_as_a_request_expires_has_an_event_of_its_own(world, time_machine):
    world.up_to("everyone", "requested")
    time_machine.move_to(world.now() + timedelta(days=60))
    world.gitlab.state.set_feature(FLAG, "true")
    world.sync()
    assert world.phase("everyone").state == "planned"
    assert world.rollout().drift == "ahead"
    assert AuditEvent.objects.filter(verb="approval.expire").count() == 1
    assert AuditEvent.objects.filter(verb="drift.began").count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_somebody_else_has_written_since_is_not_written_over(transactional_db, gitlab):
    world = World.build(gitlab)
    world.apply()
    mine, theirs = world.rollout(), world.rollout()
    with recorded("rollout.edit", by=world.actor("root")):
        theirs.mitigation = "theirs"
        theirs.save()
    with pytest.raises(ChangedMeanwhile), recorded("rollout.edit", by=world.actor("root")):
        mine.mitigation = "mine"
        mine.save()
    with recorded("rollout.edit", by=world.actor("root")):
        mine.refresh_from_db()
        mine.title = "Another title"
        mine.save()
    assert (world.rollout().title, world.rollout().mitigation) == ("Another title", "theirs")
