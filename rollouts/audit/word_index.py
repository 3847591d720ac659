"""The index over the words of events: FTS5 with trigrams on SQLite, ``pg_trgm`` with GIN on PostgreSQL.

SQLite's is kept by triggers, so that no writer can pass it by; ``post_migrate`` creates again what a rebuilt table
lost.
"""

# ruff: noqa: S608 - the names of tables are our own
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Max, Min

TABLE = "rollouts_eventwords"
INDEX = f"{TABLE}_index"
#: So many events are read and written in one transaction.
BATCH = 2_000
_NEW, _OLD = (
    f"INSERT INTO {INDEX} (rowid, text) VALUES (NEW.key, NEW.text);",
    f"INSERT INTO {INDEX} ({INDEX}, rowid, text) VALUES ('delete', OLD.key, OLD.text);",
)
_ON_SQLITE = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {INDEX} USING fts5 "
    f"(text, content='{TABLE}', content_rowid='key', tokenize='trigram case_sensitive 1', detail='none')",
    f"CREATE TRIGGER IF NOT EXISTS {TABLE}_kept AFTER INSERT ON {TABLE} BEGIN {_NEW} END",
    f"CREATE TRIGGER IF NOT EXISTS {TABLE}_gone AFTER DELETE ON {TABLE} BEGIN {_OLD} END",
    f"CREATE TRIGGER IF NOT EXISTS {TABLE}_anew AFTER UPDATE ON {TABLE} BEGIN {_OLD} {_NEW} END",
)
#: What is written is read from a short list until it is sorted in: the list is looked through at each search.
_ON_POSTGRESQL = (
    f"CREATE INDEX IF NOT EXISTS {INDEX} ON {TABLE} USING gin (text gin_trgm_ops) WITH (gin_pending_list_limit = 256)",
)
NEEDS = (
    "The history is searched by PostgreSQL's extension pg_trgm, which is not in this database, and the portal's user "
    "may not put it there ({why}). As the database's owner or a superuser run CREATE EXTENSION pg_trgm; in it, then "
    "migrate again (PostgreSQL's contrib package has it): nothing was changed."
)


class ExtensionMissing(RuntimeError):
    """PostgreSQL lacks what the search needs; the words say how to get it."""


def prepare(connection: Any) -> None:
    """What the index needs is there, or ``ExtensionMissing`` says what to do."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
        if cursor.fetchone():
            return
        try:
            with transaction.atomic(using=connection.alias):
                cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except DatabaseError as refused:
            raise ExtensionMissing(NEEDS.format(why=str(refused).splitlines()[0])) from None


def create(connection: Any) -> None:
    """The index, with what it needs; safe to call again."""
    if TABLE not in connection.introspection.table_names():
        return  # on the way to this release
    prepare(connection)
    with connection.cursor() as cursor:
        for statement in _ON_SQLITE if connection.vendor == "sqlite" else _ON_POSTGRESQL:
            cursor.execute(statement)


def drop(connection: Any) -> None:
    """To migrate back."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"DROP TABLE IF EXISTS {INDEX}")
        else:
            cursor.execute(f"DROP INDEX IF EXISTS {INDEX}")


def trigrams(texts: Iterable[str]) -> str:
    """What FTS5 matches for texts that hold all of these, each of three characters or more, and some others."""
    parts = {text[at : at + 3] for text in texts for at in (*range(0, len(text) - 3, 3), len(text) - 3)}
    return " ".join('"' + part.replace('"', '""') + '"' for part in sorted(parts))


def fill(events: Any, keep: Any) -> None:
    """Let all events have their words that have none: in short transactions, from where it was broken off.

    ``events`` are ``AuditEvent.objects``, ``keep`` is ``EventWords.objects.keep``: of a migration too.
    """
    edges = events.order_by().filter(words=None).aggregate(first=Min("pk"), last=Max("pk"))
    at, last = edges["first"], edges["last"]
    while at is not None and at <= last:
        some = events.order_by("pk").filter(pk__gte=at, pk__lte=last, words=None).select_related("rollout")[:BATCH]
        found = list(some)
        with transaction.atomic():
            keep(found)
        at = found[-1].pk + 1 if found else None
