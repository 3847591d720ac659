"""Events past their age go where nothing rests on them; the history verifies, and every page says what is gone."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollouts import tasks
from rollouts.audit import exporting, sealing, signed_note, tombstones, triggers, verifying
from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.models import AIModel, AuditEvent, Checkpoint, KeepingRun, Rollout, Seal, Tombstone, clock
from rollouts.services import as_of, portfolio_as_of
from rollouts.services.keeping import old_events, runs
from tests.commands.running import run as command
from tests.portal.pages import signed_in, words

CHECKER = Path(__file__).resolve().parents[2] / "docs" / "check_history.py"
OLD, LIVING = "haiku", "sonnet"


@pytest.fixture
def later(time_machine):
    return lambda **span: time_machine.move_to(timezone.now() + timedelta(**span))


@pytest.fixture
def aged(world, settings, later):
    """A rollout that ended two years ago, one that is under way since, and a sign-in of then; all is sealed."""
    settings.AUDIT_SIGNING_KEY = signed_note.new_key().decode()
    settings.KEEP_EVENTS_DAYS = 365
    world.up_to("team", "active")
    assert Client().post("/accounts/login/", {"username": "vic", "password": "rollout"}).status_code == 302
    world.do("roll_back", "team", "mia", reason="too slow")
    world.sync()
    assert command("transition", OLD, "rollout", "abandon", "--as", "mia", "--reason", "too slow")[2] == 0
    world.gitlab.state.add_flag_definition(
        "use_sonnet", type="beta", group="group::ai coding", milestone="19.3", default_enabled=False
    )
    later(days=500)
    world.apply(slug=LIVING, title="Claude Sonnet", flag="use_sonnet")
    world.sync()
    later(days=230)
    sealing.work(now=True)
    return world


def gone():
    """The chains, each with how many of its events are gone."""
    there = AuditEvent.objects.values("pk")
    found: dict[str, int] = {}
    for chain in Seal.objects.exclude(event__in=there).values_list("chain", flat=True):
        found[chain] = found.get(chain, 0) + 1
    return found


def test_they_are_kept_for_ever_unless_somebody_says_otherwise(aged, settings):
    settings.KEEP_EVENTS_DAYS = 0
    events = set(AuditEvent.objects.values_list("pk", flat=True))
    tasks.keep()
    assert events <= set(AuditEvent.objects.values_list("pk", flat=True))
    assert not Tombstone.objects.exists()
    assert "events: kept for ever (KEEP_EVENTS_DAYS=0)" in command("keep", "--dry-run")[0]


def test_what_ended_long_ago_goes_and_the_history_verifies(aged, tmp_path):
    old = AuditEvent.objects.filter(rollout__slug=OLD).count()
    checkpoint = sealing.checkpoint().note
    foreseen = json.loads(command("keep", "--dry-run", "--json")[0])["would_go"]["events"]
    tasks.keep()
    assert gone().keys() == {f"rollout:{OLD}", "portal"}
    assert gone()[f"rollout:{OLD}"] > old / 2
    assert sum(gone().values()) == Tombstone.objects.count() == foreseen["rows"]
    assert not AuditEvent.objects.filter(verb="account.sign_in").exists()
    assert KeepingRun.objects.first().gone["events"] == Tombstone.objects.count()
    sealing.work(now=True)
    report = verifying.verify(outside=checkpoint)
    assert report.is_ok, report.words
    assert report.tombstones == Tombstone.objects.count()
    out, _, code = command("audit", "verify")
    assert (code, f"{report.tombstones} of them are tombstones" in out) == (0, True)
    export = tmp_path / "out"
    assert command("audit", "export", str(export))[2] == 0
    done = subprocess.run([sys.executable, CHECKER, export], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"({report.tombstones} tombstones)" in done.stdout
    with pytest.raises(exporting.NotSealed, match="no longer what was sealed"):
        exporting.proof(Tombstone.objects.first().event_id)


def test_who_rests_on_it_keeps_it(aged):
    """As of any moment, a rollout that lives is what it was before; so is what was asked, and by whom."""
    first = AuditEvent.objects.filter(rollout__slug=LIVING).order_by("at", "pk").first().at
    moments = [first, first + timedelta(days=1), clock.now()]

    def told():
        return [command("as_of", LIVING, moment.isoformat(), "--json")[0] for moment in moments]

    before, mine = told(), list(AuditEvent.objects.of_rollout(LIVING).values_list("pk", flat=True))
    tasks.keep()
    assert gone()
    assert told() == before
    assert list(AuditEvent.objects.of_rollout(LIVING).values_list("pk", flat=True)) == mine


def test_a_rollout_on_the_same_flag_keeps_all_of_it(aged):
    aged.apply(slug="again", title="Claude Haiku again")
    aged.sync()
    sealing.work(now=True)
    tasks.keep()
    assert gone().keys() == {"portal"}, "who else was live on the flag is asked of the other's events"


@pytest.mark.parametrize("why", ["unsealed", "too young", "changed"])
def test_what_must_stay_stays(aged, settings, later, why):
    if why == "unsealed":
        victim = AuditEvent.objects.filter(rollout__slug=OLD).order_by("pk").last()
        assert Checkpoint.objects.count() >= 1
        with recorded("model.add", by=Actor.system_user(), rollout=Rollout.objects.get(slug=OLD)) as recording:
            recording.about = AIModel.objects.create(slug="late", name="late")
        victim = AuditEvent.objects.order_by("-pk").first()
    elif why == "too young":
        settings.KEEP_EVENTS_DAYS = 800
        victim = AuditEvent.objects.filter(rollout__slug=OLD).first()
    else:
        victim = AuditEvent.objects.filter(verb="phase.start").first()
        with transaction.atomic(), triggers.aside(connection, triggers.HISTORY), connection.cursor() as cursor:
            cursor.execute("UPDATE rollouts_auditevent SET reason = 'nice' WHERE id = %s", [victim.pk])
    tasks.keep()
    assert AuditEvent.objects.filter(pk=victim.pk).exists()
    assert bool(gone()) == (why != "too young")
    if why == "changed":
        assert verifying.verify().first_bad.event == victim.pk, "a rule sweeps no change away"


def test_pages_reports_and_doors_say_what_is_gone(aged):
    root = signed_in(aged, "root")
    assert "past their age" not in words(root.get("/audit/"))
    tasks.keep()
    before = f"{clock.now() - timedelta(days=365):%-d %b %Y}"
    for address in ("/audit/", f"/rollouts/{OLD}/report/", "/reports/?from=2020-01-01"):
        assert f"Events from before {before} are past their age" in words(root.get(address)), address
    for address in (f"/rollouts/{LIVING}/report/", "/reports/"):
        assert "are past their age" not in words(root.get(address)), address
    answer = root.get(f"/rollouts/{OLD}/then/?at=2020-01-01")
    assert (answer.status_code, "are past their age and gone" in words(answer)) == (404, True)
    with pytest.raises(as_of.PastItsAge):
        as_of.of(OLD, clock.now())
    then = portfolio_as_of.page(clock.now())
    assert ([past.rollout.slug for past in then.rollouts], then.past_age) == ([LIVING], 1)
    assert "The events of 1 more rollout are past their age" in words(root.get("/then/"))
    _out, err, code = command("as_of", OLD, "now")
    assert (code, "past their age" in err) == (1, True)
    assert root.get(f"/rollouts/{OLD}/").status_code == 200
    page = words(root.get("/keeping/"))
    assert "KEEP_EVENTS_DAYS" in page
    assert "365 days after their rollout ended" in page
    assert command("audit", "verify")[2] == 0
    assert "events are tombstones" in words(root.get("/audit/"))


def test_an_event_that_is_taken_away_shows_with_a_tombstone_of_its_own_or_without(aged):
    tasks.keep()
    sealing.work(now=True)
    teller = AuditEvent.objects.filter(verb=tombstones.GONE).first()
    victim = Seal.objects.filter(event__in=AuditEvent.objects.filter(rollout__slug=LIVING)).first()
    tables = (triggers.HISTORY, "rollouts_auditevent_concerns")
    with transaction.atomic(), triggers.aside(connection, *tables), connection.cursor() as cursor:
        for table, column in (
            ("eventwords", "event_id"), ("auditevent_concerns", "auditevent_id"), ("alsotouched", "event_id"),
            ("auditevent", "id"),
        ):  # fmt: skip
            cursor.execute(f"DELETE FROM rollouts_{table} WHERE {column} = %s", [victim.event_id])
    bad = verifying.verify().first_bad
    assert (bad.event, bad.why) == (victim.event_id, "The event was removed.")
    Tombstone.objects.create(event_id=victim.event_id, told_by=teller)
    assert not verifying.verify().is_ok


def test_a_run_that_is_killed_leaves_nothing_half(aged, monkeypatch):
    monkeypatch.setattr(old_events, "BATCH", 3)
    real, calls = tombstones.put, []

    def dies(events, told_by):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(events, told_by)

    monkeypatch.setattr(tombstones, "put", dies)
    with pytest.raises(KeyboardInterrupt):
        runs.work(asked=True)
    assert (Tombstone.objects.count(), sum(gone().values())) == (3, 3)
    assert verifying.verify().is_ok
    with pytest.raises(Exception, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM rollouts_auditevent WHERE id = %s", [AuditEvent.objects.first().pk])
    runs.work()
    assert Tombstone.objects.count() > 3
    assert verifying.verify().is_ok
    assert KeepingRun.objects.get().gone["events"] == Tombstone.objects.count()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9))
def test_chains_with_tombstones_verify_and_every_other_change_of_them_shows(aged, seed):
    """Some go, some stay, in any order and in several batches; then one thing is done that no rule does."""
    dice = random.Random(seed)
    with transaction.atomic():
        run = KeepingRun.objects.create(begun_at=clock.now())
        older_than = clock.now() - timedelta(days=365)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(old_events, "BATCH", dice.randrange(1, 9))
            place = -1
            for _ in range(dice.randrange(1, 6)):
                _count, place = old_events.let_go(run, older_than, runs.JOB, place)
                place = dice.choice([place, max(place - 5, -1)])
                if dice.random() < 0.5:
                    sealing.work(now=True)
        sealing.work(now=True)
        report = verifying.verify()
        assert report.is_ok, report.words
        assert report.tombstones == Tombstone.objects.count() == sum(gone().values())
        tombstone, other = dice.choice(Tombstone.objects.all()), dice.choice(AuditEvent.objects.all())
        damage = dice.choice(
            [
                ("DELETE FROM rollouts_tombstone WHERE id = %s", tombstone.pk),
                ("UPDATE rollouts_seal SET digest = reverse_of WHERE event_id = %s", tombstone.event_id),
                ("UPDATE rollouts_auditevent SET reason = 'x' || reason WHERE id = %s", other.pk),
                ("UPDATE rollouts_seal SET number = number + 1000 WHERE event_id = %s", tombstone.event_id),
            ]
        )
        sql, *values = damage
        sql = sql.replace("reverse_of", f"'{'0' * 64}'")
        with triggers.aside(connection, *triggers.TABLES), connection.cursor() as cursor:
            cursor.execute(sql, values)
        assert not verifying.verify().is_ok, damage
        transaction.set_rollback(True)
