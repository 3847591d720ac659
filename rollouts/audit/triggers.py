"""Triggers that make history, readings and approvals append-only in the database itself: by no door is a row changed,
deleted or replaced, and none is slipped in among those that are there.

They hold on SQLite whatever the pragmas say (a REPLACE deletes without a DELETE trigger), and on PostgreSQL for a
replica's session too. What no trigger can prevent: who owns the tables, or may write SQLite's file, may drop them.
A migration that must rewrite such rows drops them; ``post_migrate`` creates them again.
"""

# ruff: noqa: S608 - the names of tables are our own
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

HISTORY = "rollouts_auditevent"
#: Each table with the words of its refusal, and what is unique in it beside the id.
TABLES: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    HISTORY: ("history is append-only", ()),
    "rollouts_auditevent_concerns": ("history is append-only", (("auditevent_id", "rollout_id"),)),
    "rollouts_seal": ("seals are append-only", (("position",), ("event_id",), ("chain", "number"))),
    "rollouts_checkpoint": ("checkpoints are append-only", (("size",),)),
    "rollouts_tombstone": ("tombstones are append-only", (("event_id",),)),
    "rollouts_flagreading": ("readings are append-only", ()),
    "rollouts_approval": ("approvals are append-only", (("request_id", "approver", "digest"),)),
}
ON_SQLITE = ("no_update", "no_delete", "no_replace", "ids_rise")
ON_POSTGRESQL = ("no_change", "no_truncate", "ids_rise")


def create(connection: Any, *tables: str) -> None:
    """Create the triggers, of all tables unless some are named; safe to call again.

    SQLite drops them when a migration rebuilds the table.
    """
    make = {"sqlite": _sqlite, "postgresql": _postgresql}
    there = connection.introspection.table_names()  # on the way to this release some are yet to come
    _run(connection, make, tables or tuple(table for table in TABLES if table in there))


def drop(connection: Any, *tables: str) -> None:
    """Remove the triggers: to migrate back, and to empty a test database."""
    there = connection.introspection.table_names()
    tables = tables or tuple(table for table in TABLES if table in there)
    _run(connection, {"sqlite": _sqlite_down, "postgresql": _postgresql_down}, tables)


@contextmanager
def aside(connection: Any, *tables: str) -> Iterator[None]:
    """Rows of these tables may be changed and deleted within this block, which is part of a transaction.

    For who owns the tables. Others write nothing to them until it ends, and read on: PostgreSQL switches the trigger
    off under a lock that readers do not notice, where dropping it would wait for them and hold them up.
    """
    assert connection.in_atomic_block, "a crash must put the triggers back"
    off = {
        "sqlite": lambda table: [f"DROP TRIGGER {table}_{name}" for name in ("no_update", "no_delete")],
        "postgresql": lambda table: [f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_change"],
    }
    on = {
        "sqlite": _sqlite,
        "postgresql": lambda table: [f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_change"],
    }
    _run(connection, off, tables)
    yield
    _run(connection, on, tables)


def is_owner(connection: Any) -> bool:
    """Whether who is connected may let the triggers step aside."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(%s)", [HISTORY])
        return bool(cursor.fetchone()[0])


def _sqlite(table: str) -> list[str]:
    words, uniques = TABLES[table]
    known = " OR ".join(" AND ".join(f"{name} = NEW.{name}" for name in names) for names in (("id",), *uniques))
    refuse = f"SELECT RAISE(ABORT, '{words}');"
    return [
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_update BEFORE UPDATE ON {table} BEGIN {refuse} END",
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_delete BEFORE DELETE ON {table} BEGIN {refuse} END",
        # Before SQLite looks for conflicts, so before REPLACE has deleted anything.
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {known}) BEGIN {refuse} END",
        # Only afterwards is the id known that SQLite itself gives.
        f"CREATE TRIGGER IF NOT EXISTS {table}_ids_rise AFTER INSERT ON {table} "
        f"WHEN NEW.id < (SELECT max(id) FROM {table}) BEGIN {refuse} END",
    ]


def _postgresql(table: str) -> list[str]:
    words, _ = TABLES[table]
    refuse = f"RAISE EXCEPTION '{words}' USING ERRCODE = 'integrity_constraint_violation'"
    # Transactions commit in another order than they take their numbers, so a lower id is right where this very session
    # was given it; any other id that was given already is refused. The sequence is named in full: a temporary one of
    # the same name would be looked at first.
    rises = f"""
        DECLARE ids text := format('%I.%I', TG_TABLE_SCHEMA, '{table}_id_seq'); given bigint;
        BEGIN
          EXECUTE 'SELECT last_value FROM ' || ids INTO given;
          IF NEW.id >= given THEN RETURN NEW; END IF;
          BEGIN
            IF NEW.id = currval(ids) THEN RETURN NEW; END IF;
          EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL;
          END;
          {refuse};
        END"""
    triggers = {
        "no_change": f"BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_refuse()",
        "no_truncate": f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()",
        "ids_rise": f"BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_rises()",
    }
    assert tuple(triggers) == ON_POSTGRESQL
    return [
        f"CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {refuse}; END $$",
        f"CREATE OR REPLACE FUNCTION {table}_rises() RETURNS trigger LANGUAGE plpgsql AS $$ {rises} $$",
        *(f"CREATE OR REPLACE TRIGGER {table}_{name} {what}" for name, what in triggers.items()),
        *(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_{name}" for name in triggers),
    ]


def _sqlite_down(table: str) -> list[str]:
    return [f"DROP TRIGGER IF EXISTS {table}_{name}" for name in ON_SQLITE]


def _postgresql_down(table: str) -> list[str]:
    return [f"DROP TRIGGER IF EXISTS {table}_{name} ON {table}" for name in ON_POSTGRESQL]


def _run(connection: Any, make: dict[str, Any], tables: tuple[str, ...]) -> None:
    if connection.vendor not in make:
        raise NotImplementedError(f"the history has no triggers for {connection.vendor}: use SQLite or PostgreSQL")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and connection.in_atomic_block:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # it alters no table with rows that are yet to be checked
        for table in tables:
            for statement in make[connection.vendor](table):
                cursor.execute(statement)
