"""The history is sealed as it was written, and whatever is done to it afterwards shows."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction

from rollouts.audit import canonical, sealing, signed_note, triggers, verifying
from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.audit.signed_note import NoteRefused
from rollouts.models import AIModel, AuditEvent, Checkpoint, EventWords, PersonSalt, Seal, clock
from rollouts.rules import merkle
from rollouts.services.lists.history import HistoryFilter

BY = Actor.system_user()


@pytest.fixture
def history(world, settings):
    """A rollout that was taken through its first phase, sealed under a checkpoint."""
    settings.AUDIT_SIGNING_KEY = signed_note.new_key().decode()
    world.up_to("team", "active")
    sealing.work(now=True)
    return world


def add(slug):
    with recorded("model.add", by=BY) as recording:
        recording.about = AIModel.objects.create(slug=slug, name=slug)
    return AuditEvent.objects.order_by("-pk").first()


def rewrite(*statements):
    """What somebody does who owns the tables: takes the triggers down, and keys that would be in the way."""
    triggers.drop(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
        for statement, *values in statements:
            cursor.execute(statement, values)
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = DEFAULT")


def last_of(slug="haiku", back=0):
    return Seal.objects.filter(chain=f"rollout:{slug}").order_by("-number")[back]


def test_each_event_is_sealed_once_in_a_chain_without_gaps(history):
    assert Seal.objects.count() == AuditEvent.objects.count() > 10
    for chain in AuditEvent.objects.order_by().values_list("chain", flat=True).distinct():
        numbers = list(Seal.objects.filter(chain=chain).order_by("number").values_list("number", flat=True))
        assert numbers == list(range(1, len(numbers) + 1))
    assert sealing.work(now=True) == 0
    report = verifying.verify()
    assert (report.is_ok, report.events, report.unsealed) == (True, AuditEvent.objects.count(), 0)
    assert report.chains == AuditEvent.objects.order_by().values("chain").distinct().count() >= 2
    assert report.checkpoint.root == merkle.root_of(sealing.leaves())


def test_what_comes_later_goes_on_where_the_checkpoint_stood(history):
    first = Checkpoint.objects.get()
    add("later")
    assert verifying.verify().unsealed == 1
    assert sealing.work() == 1
    assert Checkpoint.objects.count() == 1, "the next checkpoint waits for more events"
    sealing.work(now=True)
    second = Checkpoint.objects.first()
    assert (second.size, second.root) == (first.size + 1, merkle.root_of(sealing.leaves()).hex())
    assert verifying.verify(outside=first.note).is_ok


def test_what_an_earlier_release_wrote_without_words_is_found_once_it_is_sealed(history):
    event = add("wordless")
    EventWords.objects.filter(event=event).delete()
    assert not HistoryFilter({"q": "wordless"}).find(10).page.rows
    assert sealing.work() == 1
    assert [found.pk for found in HistoryFilter({"q": "wordless"}).find(10).page.rows] == [event.pk]
    assert EventWords.objects.filter(event=event).count() == 1


def changed(history):
    rewrite(["UPDATE rollouts_auditevent SET reason = 'because' WHERE id = %s", last_of().event_id])
    return last_of().event_id, "not what was sealed"


def actor_changed(history):
    rewrite(["UPDATE rollouts_auditevent SET actor = 'vic' WHERE id = %s", last_of().event_id])
    return last_of().event_id, "not what was sealed"


def seen_by_fewer(history):
    event = last_of().event_id
    rewrite(["UPDATE rollouts_auditevent SET confidential = '{\"a\": 1}' WHERE id = %s", event])
    return event, "not what was sealed"


def removed(history):
    event = last_of(back=1).event_id
    rewrite(
        ["DELETE FROM rollouts_auditevent_concerns WHERE auditevent_id = %s", event],
        ["DELETE FROM rollouts_auditevent WHERE id = %s", event],
    )
    return event, "removed"


def removed_with_its_seal(history):
    seal = last_of(back=1)
    rewrite(
        ["DELETE FROM rollouts_seal WHERE id = %s", seal.pk],
        ["DELETE FROM rollouts_auditevent_concerns WHERE auditevent_id = %s", seal.event_id],
        ["DELETE FROM rollouts_auditevent WHERE id = %s", seal.event_id],
    )
    return None, f"at place {seal.position + 1} was removed"


def tail_removed(history):
    position = Seal.objects.count() - 3
    events = list(Seal.objects.filter(position__gte=position).values_list("event_id", flat=True))
    rewrite(
        ["DELETE FROM rollouts_seal WHERE position >= %s", position],
        *(["DELETE FROM rollouts_auditevent_concerns WHERE auditevent_id = %s", event] for event in events),
        *(["DELETE FROM rollouts_auditevent WHERE id = %s", event] for event in events),
    )
    return None, "the newest were removed"


def swapped(history):
    one, other = last_of(), last_of(back=1)
    rewrite(
        ["UPDATE rollouts_seal SET event_id = -1 WHERE id = %s", one.pk],
        ["UPDATE rollouts_seal SET event_id = %s WHERE id = %s", one.event_id, other.pk],
        ["UPDATE rollouts_seal SET event_id = %s WHERE id = %s", other.event_id, one.pk],
    )
    return one.event_id, "not what was sealed"


def moved(history):
    event = last_of().event_id
    rewrite(["UPDATE rollouts_auditevent SET chain = 'portal' WHERE id = %s", event])
    return event, "moved to the chain portal"


def put_in(history):
    """An event that says it happened long ago, where the sealer no longer looks."""
    rewrite(["UPDATE rollouts_checkpoint SET settled = %s", AuditEvent.objects.order_by("-pk").first().pk + 1])
    return add("late").pk, "put in among those"


def salt_damaged(history):
    """Of the first event with a name in it, which is what the salt of a person keys."""
    rewrite(["UPDATE rollouts_personsalt SET salt = 'no hex' WHERE name = %s", "mia"])
    named = AuditEvent.objects.order_by("seal__position")
    return next(event.pk for event in named if "mia" in canonical.names_in(event)), "not what was sealed"


def checkpoint_changed(history):
    rewrite(["UPDATE rollouts_checkpoint SET root = %s", "0" * 64])
    return None, "was changed"


ATTACKS = (
    changed, actor_changed, seen_by_fewer, removed, removed_with_its_seal, tail_removed, swapped, moved, put_in,
    salt_damaged, checkpoint_changed,
)  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_what_is_done_to_it_is_found_and_named(history, attack):
    assert verifying.verify().is_ok
    no_keys = connection.vendor == "sqlite"
    if no_keys:
        connection.cursor().execute("PRAGMA foreign_keys = OFF")
    try:
        event, why = attack(history)
        found = verifying.verify()
    finally:
        triggers.create(connection)
        if no_keys:
            connection.cursor().execute("PRAGMA foreign_keys = ON")
    assert not found.is_ok
    assert found.first_bad.event == event
    assert why in found.first_bad.why


@pytest.mark.django_db(transaction=True)
def test_two_heads_of_a_chain_are_found(history, monkeypatch):
    event, seal, constraint = add("second"), last_of(), Seal._meta.constraints[0]
    monkeypatch.setattr(Seal._meta, "constraints", [])  # SQLite makes the table anew as the model says
    with connection.schema_editor() as editor:
        editor.remove_constraint(Seal, constraint)
    rewrite(["UPDATE rollouts_auditevent SET chain = %s WHERE id = %s", seal.chain, event.pk])
    values = {"chain": seal.chain, "number": seal.number, "salt": seal.salt, "digest": "0" * 64}
    second = Seal.objects.create(event=event, position=Seal.objects.count(), **values)
    found = verifying.verify().first_bad
    rewrite(["DELETE FROM rollouts_seal WHERE id = %s", second.pk])
    monkeypatch.undo()
    with connection.schema_editor() as editor:
        editor.add_constraint(Seal, constraint)
    triggers.create(connection)
    assert (found.event, found.chain) == (event.pk, seal.chain)
    assert f"Two events are number {seal.number} of the chain" in found.why


@pytest.mark.django_db(transaction=True)
def test_a_history_that_was_wholly_rebuilt_shows_against_a_checkpoint_from_outside(history):
    outside = Checkpoint.objects.get().note
    rewrite(
        ["DELETE FROM rollouts_seal"],
        ["DELETE FROM rollouts_checkpoint"],
        ["UPDATE rollouts_auditevent SET reason = 'because' WHERE id = %s", AuditEvent.objects.order_by("pk")[2].pk],
    )
    triggers.create(connection)
    sealing.work(now=True)
    assert verifying.verify().is_ok, "in itself it is in order"
    found = verifying.verify(outside=outside)
    assert "are not those that the checkpoint was signed over" in found.first_bad.why
    shorter = verifying.verify(outside=Checkpoint.objects.get().note)
    assert shorter.is_ok


def test_who_left_can_be_forgotten_and_the_chain_holds(history):
    salt = bytes.fromhex(PersonSalt.objects.get(name="mia").salt)
    hidden = canonical.hidden("mia", salt)
    columns = ("actor", "object_name", "before", "after", "snapshot", "way", "said", "confidential")
    for column in columns:
        text = f"CAST({column} AS text)"
        kind = "::jsonb" if connection.vendor == "postgresql" and column in columns[2:] else ""
        rewrite(
            [f"UPDATE rollouts_auditevent SET {column} = REPLACE({text}, 'mia', %s){kind} WHERE {text} LIKE %s", hidden,
             "%mia%"]
        )  # fmt: skip
    PersonSalt.objects.filter(name="mia").delete()
    assert not AuditEvent.objects.filter(actor="mia").exists()
    assert verifying.verify().first_bad is None


@pytest.mark.django_db(transaction=True)
def test_a_writer_that_commits_late_is_sealed_late(transactional_db, gitlab):
    from tests.walk import World

    World.build(gitlab)
    written, sealed = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            add("slow")
            written.set()
            if connection.vendor == "postgresql":
                sealed.wait(20)
        connections.close_all()

    writer = threading.Thread(target=slow)
    writer.start()
    assert written.wait(20)
    if connection.vendor == "sqlite":
        writer.join(20)
    quick = add("quick")
    sealing.work(now=True)
    assert Seal.objects.filter(event=quick).exists()
    sealed.set()
    writer.join(20)
    late = AuditEvent.objects.get(object_name="slow")
    sealing.work(now=True)
    assert late.seal.position > quick.seal.position or connection.vendor == "sqlite"
    assert verifying.verify().is_ok


@pytest.mark.django_db(transaction=True)
def test_sealers_at_once_seal_each_event_once(transactional_db, gitlab):
    from tests.services.threads import at_once
    from tests.walk import World

    World.build(gitlab)
    for number in range(30):
        add(f"m{number}")
    results = at_once(*(lambda: sealing.work(now=True) for _ in range(4)))
    assert sum(results) == Seal.objects.count() == AuditEvent.objects.count()
    assert verifying.verify().is_ok


def test_a_settled_beginning_is_not_looked_at_again(history, monkeypatch):
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=2))
    add("later")
    sealing.work(now=True)
    assert Checkpoint.objects.first().settled == AuditEvent.objects.exclude(object_name="later").order_by("-pk")[0].pk
    assert verifying.verify().is_ok


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("", None),
        ("nothing", "no checkpoint"),
        ("localhost:8000/audit\n-1\nAAAA\n\n", "no checkpoint"),
        ("localhost:8000/audit\n1\nAAAA\n\n", "no checkpoint"),
        ("elsewhere/audit\n1\n" + "A" * 43 + "=\n\n", "is of elsewhere/audit"),
        ("localhost:8000/audit\n1\n" + "A" * 43 + "=\n\n", "none of this portal's keys"),
        ("localhost:8000/audit\n1\n" + "A" * 43 + "=\n\n— x y\n", "no signature"),
    ],
)
def test_a_checkpoint_that_is_none_is_refused(history, note, words):
    if words is None:
        assert verifying.verify(outside=note).is_ok
        return
    with pytest.raises(NoteRefused, match=words):
        verifying.verify(outside=note)
