"""Pages that people decide on ask the database as often for much as for little."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollouts.audit.recording import recorded
from rollouts.models import ChangeLock, ChecklistItem, IncidentSource, LockCalendar, LockPeriod, SyncRun
from rollouts.services import locks
from rollouts.services.instances import default_instance
from tests.portal.pages import signed_in
from tests.walk import FLAG

pytestmark = pytest.mark.django_db
PAGE = "/rollouts/haiku/"


@pytest.fixture
def asks(world):
    """How many queries a page takes for mia, who has looked at it before, and what it says."""
    client = signed_in(world, "mia")

    def asks(address):
        client.get(address)
        with CaptureQueriesContext(connection) as asked:
            response = client.get(address)
        assert response.status_code == 200
        return len(asked), response.content.decode()

    return asks


def try_again(world):
    """One more attempt of the company: rolled back, asked for, approved and started."""
    world.do("roll_back", "company", "mia", reason="wrong answers")
    world.gitlab.state.set_feature(FLAG, "false")
    world.obey()
    world.do("retry", "company", "mia", reason="better now")
    world.confirm("company")
    world.do("request", "company", "mia")
    world.approve("company")
    world.do("start", "company", "mia")
    world.obey()


def test_of_a_rollout_whatever_its_attempts(world, asks):
    world.up_to("company", "active")
    try_again(world)
    few, _ = asks(PAGE)
    for _ in range(3):
        try_again(world)
    many, said = asks(PAGE)
    assert world.phase("company").attempt == 5
    assert said.count("wrong answers") >= 4
    assert many == few


def test_of_a_rollout_whatever_its_checklist(world, asks):
    world.up_to("company", "requested")
    few, _ = asks(PAGE)
    rollout, phase, now = world.rollout(), world.phase("company"), world.now()
    with recorded("flood", by=world.actor("root"), about=rollout):
        ChecklistItem.objects.bulk_create(
            ChecklistItem(
                rollout=rollout, phase=phase if n % 2 else None, key=f"more_{n}", title=f"One more thing {n}",
                kind=("manual", "decision", "announcement", "issue")[n % 4], role="internal_rollout" if n % 4 == 3 else "",
                gate="complete", position=100 + n, confirmed_by="mia" if n % 4 == 0 else "",
                confirmed_at=now if n % 4 == 0 else None, evidence="https://gitlab.example.com/x" if n % 4 == 0 else "",
            )
            for n in range(40)
        )  # fmt: skip
    many, said = asks(PAGE)
    assert said.count("One more thing") >= 40
    assert many == few


def test_of_a_rollout_whatever_is_owed_to_gitlab(world, asks, settings):
    settings.GITLAB_WRITES = "flags"
    world.up_to("company", "active")
    few, _ = asks(PAGE)
    sync_few, _ = asks("/sync/")
    for _ in range(4):
        world.do("pause", "company", "mia", reason="a look")
        world.do("resume", "company", "mia", reason="looked")
    assert world.rollout().writes.count() >= 8
    assert asks(PAGE)[0] == few
    assert asks("/sync/")[0] == sync_few


def in_the_inbox(world, names):
    """A rollout of each name whose first phase was asked for."""
    before = dict(world.plan)
    for name in names:
        world.plan |= {"slug": name, "title": f"Rollout {name}", "flag": f"flag_{name}"}
        world.apply()
        world.sync()
        world.confirm()
        world.confirm("team")
        world.do("request", "team", "mia")
    world.plan = before


@pytest.mark.parametrize("who", ["alice", "mia"])
def test_of_the_inbox_whatever_its_cards(world, who):
    client = signed_in(world, who)

    def asks():
        client.get("/approvals/")
        with CaptureQueriesContext(connection) as asked:
            said = client.get("/approvals/").content.decode()
        return len(asked), said

    in_the_inbox(world, ["one"])
    few, _ = asks()
    in_the_inbox(world, ["two", "three", "four", "five"])
    many, said = asks()
    assert all(f"Rollout {name}" in said for name in ("one", "two", "three", "four", "five"))
    assert many == few


def test_of_locks_whatever_holds(world, asks):
    def more(numbers):
        now, instance = world.now(), default_instance()
        for n in numbers:
            times = {
                "starts": (now + timedelta(hours=n - 2)).replace(tzinfo=None),
                "ends": (now + timedelta(hours=n + 2)).replace(tzinfo=None),
            }
            locks.add(
                {"title": f"Freeze {n}", "kind": "once", "instance": instance.name if n % 2 else "", **times},
                by=world.actor("mia"),
            )
            with recorded("flood", by=world.actor("root")):
                calendar = LockCalendar.objects.create(name=f"Calendar {n}", content="-", read_at=now)
                LockPeriod.objects.create(
                    calendar=calendar,
                    starts_at=now - timedelta(hours=1),
                    ends_at=now + timedelta(hours=n + 1),
                    title=f"Days off {n}",
                )
                IncidentSource.objects.create(
                    instance=instance,
                    path=f"acme/production{n}",
                    read_at=now,
                    open_issues=[{"title": f"Down {n}", "url": "https://x", "since": now.isoformat()}][:0],
                )

    world.up_to("team", "requested")
    more([1])
    few, _ = asks("/locks/")
    page_few, _ = asks(PAGE)
    more(range(2, 12))
    many, said = asks("/locks/")
    assert ChangeLock.objects.count() >= 11
    assert all(f"{what} 11" in said for what in ("Freeze", "Calendar", "Days off"))
    assert many == few
    assert asks(PAGE)[0] == page_few


def test_of_the_sync_page_whatever_was_read(world, asks):
    world.up_to("team", "requested")
    few, _ = asks("/sync/")
    now, instance = world.now(), default_instance()
    SyncRun.objects.bulk_create(
        SyncRun(instance=instance, trigger="beat", started_at=now - timedelta(minutes=n), finished_at=now, outcome="ok")
        for n in range(30)
    )
    for n in range(6):
        world.gitlab.state.add_project(f"acme/more{n}")
        text = world.document(slug=f"r{n}", flag=f"f{n}").replace("/acme/app/", f"/acme/more{n}/")
        world.apply_text(text)
    world.sync()
    many, said = asks("/sync/")
    assert "acme/more5" in said
    assert many == few
