"""Triggers that make the history append-only in the database itself: no UPDATE, no DELETE, by any door."""

from __future__ import annotations

from typing import Any

TABLE = "rollouts_auditevent"
WORDS = "history is append-only"

SQLITE = [
    f"CREATE TRIGGER IF NOT EXISTS {TABLE}_no_{verb} BEFORE {verb.upper()} ON {TABLE} "
    f"BEGIN SELECT RAISE(ABORT, '{WORDS}'); END"
    for verb in ("update", "delete")
]
POSTGRESQL = [
    f"CREATE OR REPLACE FUNCTION {TABLE}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{WORDS}'; END $$",
    f"CREATE OR REPLACE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE ON {TABLE} "
    f"FOR EACH ROW EXECUTE FUNCTION {TABLE}_refuse()",
    f"CREATE OR REPLACE TRIGGER {TABLE}_no_truncate BEFORE TRUNCATE ON {TABLE} "
    f"FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}_refuse()",
]
TAKEN_DOWN = {
    "sqlite": [f"DROP TRIGGER IF EXISTS {TABLE}_no_{verb}" for verb in ("update", "delete")],
    "postgresql": [f"DROP TRIGGER IF EXISTS {TABLE}_no_{what} ON {TABLE}" for what in ("change", "truncate")],
}


def build(connection: Any) -> None:
    """Put the triggers up; safe to call again (SQLite drops them when a later migration rebuilds the table)."""
    _run(connection, {"sqlite": SQLITE, "postgresql": POSTGRESQL})


def take_down(connection: Any) -> None:
    """Remove the triggers: to migrate back, and to empty a test database."""
    _run(connection, TAKEN_DOWN)


def _run(connection: Any, statements: dict[str, list[str]]) -> None:
    if connection.vendor not in statements:
        raise NotImplementedError(f"the history has no triggers for {connection.vendor}: use SQLite or PostgreSQL")
    with connection.cursor() as cursor:
        for statement in statements[connection.vendor]:
            cursor.execute(statement)
