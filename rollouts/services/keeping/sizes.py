"""How much there is: rows, bytes with indexes, and the oldest, of each rule and of all that stays."""

from __future__ import annotations

from typing import Any

from django.db import OperationalError, connection
from django.db.models import Min

from .rules import KEPT, RULES, Kept, Rule, of

#: What belongs to no model: indexes of the full text, Django's own list of migrations.
OTHER = "other"
_ON_POSTGRESQL = """
    SELECT relname, pg_total_relation_size(oid) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"""
_ON_SQLITE = """
    SELECT s.tbl_name, SUM(d.pgsize) FROM dbstat d JOIN sqlite_master s ON s.name = d.name
    WHERE d.aggregate = TRUE GROUP BY s.tbl_name"""


def measure() -> dict[str, dict[str, Any]]:
    """By the names of the rules and of what stays: ``rows``, ``bytes`` (None where unknown), ``oldest`` (ISO)."""
    left = bytes_by_table()
    is_known = bool(left)
    found = {}
    for each in (*RULES, *KEPT):
        tables = [of(label)._meta.db_table for label in each.tables]
        size = sum(left.pop(table, 0) for table in tables)
        rows = sum(of(label)._default_manager.count() for label in each.tables)
        found[each.name] = {"rows": rows, "bytes": size if is_known else None, "oldest": _oldest(each)}
    found[OTHER] = {"rows": None, "bytes": sum(left.values()) if is_known else None, "oldest": None}
    return found


def bytes_by_table() -> dict[str, int]:
    """Each table with its indexes; empty where the database was built without the means (SQLite's ``dbstat``)."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_ON_POSTGRESQL if connection.vendor == "postgresql" else _ON_SQLITE)
            return {table: int(size) for table, size in cursor.fetchall()}
    except OperationalError:
        return {}


def _oldest(each: Rule | Kept) -> str | None:
    if not each.age:
        return None
    model = of(each.model if isinstance(each, Rule) else each.tables[0])
    oldest = model._default_manager.aggregate(oldest=Min(each.age))["oldest"]
    return oldest.isoformat() if oldest else None
