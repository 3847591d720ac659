"""As many rollouts as a benchmark asks for: the demo's seven, copied inside the database with all that hangs on them.

Copies have flags, owners and times of their own (an hour earlier each), so that no page profits from their likeness.
"""

from __future__ import annotations

from django.core.management import call_command
from django.db import connection, models, transaction

from rollouts.models import (
    Approval,
    ApprovalRequest,
    AuditEvent,
    ChecklistItem,
    FeatureFlag,
    FlagReading,
    Phase,
    PortfolioRow,
    RampStep,
    Rollout,
    RolloutIssue,
    RowWait,
)
from rollouts.services import portfolio_rows
from tests.on_services import free_port

COPIED = (
    FeatureFlag, FlagReading, Rollout, Phase, RampStep, ChecklistItem, RolloutIssue, ApprovalRequest, Approval,
    PortfolioRow, RowWait, AuditEvent,
)  # fmt: skip
OWN_NAMES = {"featureflag.name", "rollout.slug", "rollout.title", "portfoliorow.title", "auditevent.chain"}
#: Of each rollout's history only the newest events are copied: what a page shows, not what an archive holds.
EVENTS = 4


def demo(settings, tmp_path) -> None:
    """The seven rollouts that all others are copies of, with their lines worked out."""
    settings.GITLAB_URL, settings.DATA_DIR = f"http://127.0.0.1:{free_port()}", tmp_path
    call_command("demo", verbosity=0)
    while portfolio_rows.bring_up_to_date():
        pass


def grow_to(wanted: int) -> int:
    """Copy until there are at least so many rollouts; how many there are then."""
    base = 7
    stride = 1_000_000  # beyond any key of the demo
    there, copies = Rollout.objects.count() // base, -(-wanted // base)
    if copies > there:
        copy(there, copies - 1, stride)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return Rollout.objects.count()


def copy(first: int, last: int, stride: int = 1_000_000) -> None:
    """Copy all that has a key below ``stride`` under the numbers from the first to the last."""
    with transaction.atomic(), connection.cursor() as cursor:
        for model in COPIED:
            cursor.execute(_insert(model, first, last, stride))


def _insert(model: type[models.Model], first: int, last: int, stride: int) -> str:
    quote, table = connection.ops.quote_name, connection.ops.quote_name(model._meta.db_table)
    fields = model._meta.concrete_fields
    columns = ", ".join(quote(field.column) for field in fields)
    values = ", ".join(_value(model, field, f"o.{quote(field.column)}", stride) for field in fields)
    kept = f"o.{quote('id')} < {stride}"
    if model is AuditEvent:
        newest = f"SELECT count(*) FROM {table} p WHERE p.rollout_id = o.rollout_id AND p.id > o.id"
        kept += f" AND o.rollout_id IS NOT NULL AND ({newest}) < {EVENTS}"
    numbers = f"WITH RECURSIVE k(n) AS (SELECT CAST({first} AS bigint) UNION ALL SELECT n + 1 FROM k WHERE n < {last})"
    return f"INSERT INTO {table} ({columns}) {numbers} SELECT {values} FROM {table} o, k WHERE {kept}"


def _value(model: type[models.Model], field: models.Field, column: str, stride: int) -> str:
    name = f"{model._meta.model_name}.{field.name}"
    if field.primary_key or (field.is_relation and field.related_model in COPIED):
        return f"{column} + k.n * {stride}"
    if name in OWN_NAMES:
        return f"{column} || '-' || k.n"
    if name == "rowwait.who":
        return f"CASE WHEN {column} LIKE 'manager:%' THEN 'manager:owner-' || (k.n % 50) ELSE {column} END"
    if name in ("portfoliorow.owner",):
        return "'owner-' || (k.n % 50)"
    if isinstance(field, models.DateTimeField) and name != "portfoliorow.due_at":
        if connection.vendor == "sqlite":
            return f"strftime('%Y-%m-%d %H:%M:%f', {column}, '-' || k.n || ' hours')"
        return f"{column} - k.n * interval '1 hour'"
    return column
