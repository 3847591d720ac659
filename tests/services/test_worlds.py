"""A world that is given again is the one that a walk makes, and only where the walk would make it."""

import re
from datetime import datetime, timedelta
from time import sleep

import pytest
from django.db import transaction
from django.utils import timezone

from rollouts.models import AuditEvent, FlagReading
from rollouts.models.event_words import EDGE
from rollouts.services.refusals import Refused
from tests import worlds
from tests.walk import World

pytestmark = pytest.mark.django_db
MOMENT = re.compile(worlds.MOMENT.pattern, re.IGNORECASE)
SHA_256 = re.compile(r"\b[0-9a-f]{64}\b")
WALKS = [("team", "planned"), ("team", "approved"), ("company", "requested"), ("everyone", "active")]


def plain(value):
    """Without when it was, how long it took, where GitLab was and what is drawn by lot."""
    match value:
        case int() if value > 2**40:
            return "at"
        case int() if 999_000 < value <= 1_000_000:
            return "requests left"
        case datetime():
            return "at"
        case float():
            return "long"
        case str() if value.startswith("md5$"):
            return "password"
        case str():
            words = MOMENT.sub("at", value.partition(EDGE)[0])
            return SHA_256.sub("signed", re.sub(r"(\.\d+)?(Z|\+00:00)?", "", words))
    return value


def left(gitlab, name, state):
    """All rows after a walk, which is then taken back."""
    with transaction.atomic():
        World.build(gitlab).up_to(name, state)
        found = {
            table: sorted((tuple(map(plain, row)) for row in there.values()), key=repr)
            for table, there in worlds.rows().items()
        }
        transaction.set_rollback(True)
    gitlab.state.document = gitlab.state._empty()
    with gitlab.state.change():
        gitlab.state.seed()
    return found


@pytest.mark.embedded  # PostgreSQL gives no number twice, so that rows of two walks have others
@pytest.mark.parametrize(("name", "state"), WALKS)
def test_it_has_the_rows_of_a_walk(gitlab, monkeypatch, name, state):
    monkeypatch.undo()
    left(gitlab, name, state)
    given = left(gitlab, name, state)
    with monkeypatch.context() as patched:
        patched.setattr(worlds.Memory, "is_open", lambda self: False)
        walked = left(gitlab, name, state)
    assert {table: rows for table, rows in given.items() if rows != walked[table]} == {}


@pytest.mark.parametrize("time", ["first", "again"])
def test_what_was_asked_for_stands_and_is_of_now(world, time):
    world.up_to("company", "requested")
    asked = world.facts().phase("company").request
    assert world.looked_at("company") == asked.digest
    assert timedelta(0) <= timezone.now() - world.rollout().created_at < timedelta(minutes=5)
    world.approve("company")
    assert world.do("start", "company", "mia").state == "active"


def test_who_has_changed_something_walks(world):
    world.people["mia"].groups.clear()
    with pytest.raises(Refused):
        world.up_to("team", "approved")


def test_who_patches_walks(world, monkeypatch):
    calls = []
    from rollouts.services import plans

    real = plans.apply
    monkeypatch.setattr(plans, "apply", lambda *args, **more: calls.append(1) or real(*args, **more))
    world.up_to("team", "requested")
    assert calls == [1]


def test_who_moves_the_clock_walks_at_that_time(world, time_machine):
    time_machine.move_to("2026-03-01T12:00:00Z", tick=False)
    world.up_to("team", "requested")
    assert world.rollout().created_at.month == 3


@pytest.mark.parametrize("time", range(4))
def test_what_comes_later_is_later_in_a_world_that_is_given_again_too(world, time):
    """The second step of a walk was given as if it had been done shortly before the first was."""
    world.apply()
    noted = timezone.now()
    world.sync()
    assert min(FlagReading.objects.values_list("read_at", flat=True)) >= noted
    of_rollouts = AuditEvent.objects.filter(rollout__isnull=False)
    events = list(of_rollouts.order_by("pk").values_list("at", flat=True))
    assert events == sorted(events)


@pytest.mark.parametrize("time", range(3))
def test_a_slow_walk_that_is_given_again_comes_after_the_people_who_went_it(world, time):
    """Its first moments lie as far back as it took, and the people had been there «just now»."""

    def walk():
        world.apply()
        sleep(1.2)
        world.apply(slug="opus", title="Claude Opus", flag="use_opus")

    world.remembered("slowly", walk)
    newest = AuditEvent.objects.order_by("-at", "-pk")[:2]
    assert [event.rollout.slug for event in newest if event.rollout] == ["opus", "haiku"]
