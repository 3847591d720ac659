"""History, readings and approvals are append-only in the database itself, whatever SQL is tried, and by whom."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from rollouts import tasks
from rollouts.audit import sealing, tombstones, triggers
from rollouts.models import AuditEvent, KeepingRun
from rollouts.services import plans
from tests.commands.running import run as command
from tests.portal.pages import signed_in

GUIDE = Path(__file__).resolve().parents[2] / "docs/guide/operators.md"
MODELS = {model._meta.db_table: model for model in apps.get_app_config("rollouts").get_models(True)}
SQLITE, POSTGRESQL = ("sqlite",), ("postgresql",)
BOTH = SQLITE + POSTGRESQL
#: What is tried of each table: T is its name, C its columns but the id, V those of its oldest row, F one that is text.
ATTACKS = {
    "UPDATE T SET F = 'x'": BOTH,
    "UPDATE T SET id = id + 1000": BOTH,
    "DELETE FROM T": BOTH,
    "INSERT INTO T (id, C) SELECT id, C FROM T ORDER BY id LIMIT 1 ON CONFLICT (id) DO UPDATE SET F = 'x'": BOTH,
    "INSERT INTO T (id, C) SELECT -5, V FROM T ORDER BY id LIMIT 1": BOTH,
    "INSERT INTO T (id, C) SELECT -1, V FROM T ORDER BY id LIMIT 1": BOTH,
    "INSERT OR REPLACE INTO T (id, C) SELECT id, C FROM T ORDER BY id LIMIT 1": SQLITE,
    "INSERT OR REPLACE INTO T (id, C) SELECT id, C FROM T ORDER BY id DESC LIMIT 1": SQLITE,
    "REPLACE INTO T (id, C) SELECT id, C FROM T ORDER BY id LIMIT 1": SQLITE,
    "REPLACE INTO T (rowid, C) SELECT id, C FROM T ORDER BY id LIMIT 1": SQLITE,
    "INSERT OR ROLLBACK INTO T (id, C) SELECT id, C FROM T ORDER BY id LIMIT 1": SQLITE,
    "UPDATE OR REPLACE T SET id = (SELECT max(id) FROM T)": SQLITE,
    "UPDATE OR IGNORE T SET F = 'x'": SQLITE,
    "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE T CASCADE": POSTGRESQL,
    "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE rollouts_rollout CASCADE": POSTGRESQL,
    "MERGE INTO T USING (SELECT max(id) AS one FROM T) AS mine ON id = one WHEN MATCHED THEN DELETE": POSTGRESQL,
    "SET LOCAL session_replication_role = replica; UPDATE T SET F = 'x'": POSTGRESQL,
    "SET LOCAL session_replication_role = replica; DELETE FROM T": POSTGRESQL,
    "CREATE TEMP SEQUENCE T_id_seq; SELECT nextval('pg_temp.T_id_seq');"
    " INSERT INTO T (id, C) SELECT 1 - 6, V FROM T ORDER BY id LIMIT 1": POSTGRESQL,
}
#: What only the owner of a table may do: who the portal connects as is not that one.
OWNERS = (
    "ALTER TABLE T DISABLE TRIGGER ALL",
    "ALTER TABLE T DISABLE TRIGGER T_no_change",
    "ALTER TABLE T ENABLE REPLICA TRIGGER T_no_change",
    "DROP TRIGGER T_no_change ON T",
    "DROP TABLE T CASCADE",
    "ALTER TABLE T RENAME TO gone",
    "ALTER TABLE T ALTER COLUMN id RESTART WITH 1",
    "CREATE OR REPLACE FUNCTION T_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TABLE child () INHERITS (T)",
    "CREATE RULE quiet AS ON INSERT TO T DO INSTEAD NOTHING",
    "SET session_replication_role = replica",
    "SELECT setval('T_id_seq', 1, false)",
    "TRUNCATE T",
)


def written(attack: str, table: str) -> str:
    names = [field.column for field in MODELS[table]._meta.concrete_fields if field.column != "id"]
    fields = MODELS[table]._meta.concrete_fields
    text = next((field.column for field in fields if field.get_internal_type() == "CharField"), "")
    if not text:
        attack, text = attack.replace("'x'", "1"), names[0]
    copied = [
        f"substr({name}, 2) || 'x'" if name == "digest" else name for name in names
    ]  # what is unique beside the id differs
    words = {"T": table, "C": ", ".join(names), "V": ", ".join(copied), "F": text}
    return re.sub(r"\b([TCVF])(?=\b|_)", lambda found: words[found[1]], attack)


def rows() -> dict[str, list]:
    with connection.cursor() as cursor:
        found = {}
        for table in triggers.TABLES:
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")
            found[table] = cursor.fetchall()
    return found


def refused(statement: str) -> str:
    """How the database refuses it, empty where it does not."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for part in statement.split(";") if connection.vendor == "sqlite" else [statement]:
                cursor.execute(part)
    except DatabaseError as refusal:
        return str(refusal)
    return ""


@pytest.fixture
def past(world):
    """There is history with a tombstone, a reading that concerns two rollouts, and an approval."""
    plans.apply(world.document(slug="second"), by=world.actor("mia"), source="p")
    world.up_to("team", "active")
    sealing.work(now=True)
    first, *_, last = AuditEvent.objects.order_by("pk")
    tombstones.put([first.pk], last)
    before = rows()
    assert all(before.values())
    yield before
    assert rows() == before


@pytest.mark.django_db
@pytest.mark.parametrize("table", triggers.TABLES)
def test_no_statement_rewrites_the_past(past, table):
    words, _ = triggers.TABLES[table]
    tried = [attack for attack, vendors in ATTACKS.items() if connection.vendor in vendors]
    for attack in tried:
        said = refused(written(attack, table))
        assert "append-only" in said, attack
        if "rollouts_rollout" not in attack:
            assert words in said, attack
        assert rows() == past, attack


@pytest.mark.django_db
def test_what_is_unique_is_not_replaced_by_another_id(past):
    """SQLite's REPLACE deletes the row that is in the way, also where only another key than the id is the same."""
    for table, (words, uniques) in triggers.TABLES.items():
        model = MODELS[table]
        told = {tuple(model._meta.get_field(name).column for name in one.fields) for one in model._meta.constraints
                if hasattr(one, "fields")}  # fmt: skip
        told |= {tuple(model._meta.get_field(name).column for name in names) for names in model._meta.unique_together}
        assert set(uniques) == told | {(f.column,) for f in model._meta.concrete_fields if f.unique and f.name != "id"}
        columns = ", ".join(f.column for f in model._meta.concrete_fields if f.column != "id")
        for _ in uniques:
            replace = "INSERT OR REPLACE" if connection.vendor == "sqlite" else "INSERT"
            said = refused(f"{replace} INTO {table} ({columns}) SELECT {columns} FROM {table}")
            assert words in said or "duplicate key" in said


@pytest.mark.django_db
def test_rows_are_added_one_by_one_and_many_at_once(world):
    world.apply()
    kept = AuditEvent.objects.count()
    first = AuditEvent.objects.order_by("pk").first()
    for _ in range(2):
        copies = [first.__class__(**{f.attname: getattr(first, f.attname) for f in first._meta.concrete_fields
                                     if f.name != "id"}) for _ in range(150)]  # fmt: skip
        AuditEvent.objects.bulk_create(copies)
    assert AuditEvent.objects.count() == kept + 300


@pytest.mark.django_db
def test_rows_with_ids_of_their_own_come_in_behind_what_is_there(world):
    """As a copy from another database brings them; over and before it they are refused above."""
    world.apply()
    before = rows()[triggers.HISTORY]
    copy = written("INSERT INTO T (id, C) SELECT id + 100000, C FROM T ORDER BY id", triggers.HISTORY)
    assert refused(copy) == ""
    assert len(rows()[triggers.HISTORY]) == 2 * len(before)


@pytest.fixture
def as_the_portal(world):
    """The database user whom the operator's guide tells to make: with those rights, and no others."""
    plans.apply(world.document(slug="second"), by=world.actor("mia"), source="p")
    world.up_to("team", "active")
    sealing.work(now=True)
    first, *_, last = AuditEvent.objects.order_by("pk")
    tombstones.put([first.pk], last)
    if connection.vendor != "postgresql":
        yield None  # SQLite knows no users: who may write the file owns it
        return
    block = re.search(r"```sql\n(GRANT .*?)```", GUIDE.read_text(), re.DOTALL)
    assert block
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (owner,) = cursor.fetchone()
        rights = block[1].replace("portal_owner", owner).replace("TO portal", "TO portal_app")
        rights = rights.replace("FROM portal", "FROM portal_app")
        cursor.execute("CREATE ROLE portal_app LOGIN")
        cursor.execute(rights)
        cursor.execute("SET ROLE portal_app")
    yield "portal_app"
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("DROP OWNED BY portal_app")
        cursor.execute("DROP ROLE portal_app")


@pytest.mark.django_db
@pytest.mark.parametrize("table", triggers.TABLES)
def test_the_portals_own_database_user_can_not_take_the_walls_down(as_the_portal, table):
    past = rows()
    attacks = [written(attack, table) for attack, vendors in ATTACKS.items() if connection.vendor in vendors]
    if as_the_portal:
        attacks += [written(attack, table) for attack in OWNERS]
        copy, one = f"COPY {table} (id) FROM STDIN", f"{past[table][0][0]}\n"
        said = pytest.raises(Exception, match=r"append-only|duplicate|null value|permission denied")
        with said, transaction.atomic(), connection.cursor() as cursor, cursor.copy(copy) as into:
            into.write(one)
    for attack in attacks:
        assert re.search("append-only|permission denied|must be owner", refused(attack)), attack
        assert rows() == past, attack


@pytest.mark.django_db
def test_the_portals_own_database_user_lets_no_event_go_and_says_who_does(as_the_portal, world, settings, time_machine):
    """Of PostgreSQL; SQLite has no users, so there the daily run does it."""
    settings.KEEP_EVENTS_DAYS = 365
    assert Client().post("/accounts/login/", {"username": "vic", "password": "rollout"}).status_code == 302
    sealing.work(now=True)
    time_machine.move_to(timezone.now() + timedelta(days=400))
    tasks.keep()
    run, stayed = KeepingRun.objects.get(), connection.vendor == "postgresql"
    assert (run.ended_at is not None, "events" not in run.gone) == (True, stayed)
    assert AuditEvent.objects.filter(verb="account.sign_in").exists() == stayed
    page = signed_in(world, "root").get("/keeping/").content.decode()
    assert ("who owns the tables runs «manage.py keep»" in page) == stayed
    assert ("this database user may not" in command("keep", "--dry-run")[0]) == stayed


@pytest.mark.django_db
def test_with_the_rights_of_the_guide_the_portal_does_all_its_work(as_the_portal, world):
    world.confirm("team")
    world.do("complete", "team", "mia")
    world.up_to("everyone", "active")
    world.do("roll_back", "everyone", "mia", reason="latency")
    world.sync(full=True)
    assert all(rows().values())
