"""Databases as earlier releases left them, and what becomes of them: ``python -m tests.setup.earlier QUESTION NUMBER…``.

Each question is answered in one process, on an empty database, as JSON. ``migrate`` itself knows only the newest: it runs
migrations that are squashed as the one that replaces them.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

OF_POSTGRESQL = """
SELECT table_name || '.' || column_name, concat_ws(' ', data_type, character_maximum_length, numeric_precision,
       numeric_scale, is_nullable, column_default, is_identity) FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT conrelid::regclass::text || ':' || conname, pg_get_constraintdef(oid) FROM pg_constraint
UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT tgname, pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
"""


def build(number: str, at_once: bool = False) -> None:
    """Each migration by itself up to this one, and the triggers, which came after any ``migrate``."""
    from rollouts.audit import triggers

    executor = MigrationExecutor(connection)
    executor.loader = MigrationLoader(connection, replace_migrations=at_once)
    named = executor.loader.get_migration_by_prefix("rollouts", number).name
    others = [node for node in executor.loader.graph.leaf_nodes() if node[0] != "rollouts"]
    executor.migrate([*others, ("rollouts", named)])
    if not at_once:
        triggers.create(connection, *(set(triggers.TABLES) & set(connection.introspection.table_names())))


def both() -> list[dict[str, object]]:
    """What is in a database after the squashed migration, and after those that it replaces."""
    build("0001_squashed_0028_unread", at_once=True)
    at_once = told()
    empty()
    build("0028_unread")
    return [at_once, told()]


def newest() -> list[dict[str, object]]:
    """What is in a database after all migrations, and in one that is made of the models alone, as those of tests are."""
    call_command("migrate", verbosity=0)
    migrated = told()
    empty()
    settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    call_command("migrate", verbosity=0, run_syncdb=True)
    return [migrated, told()]


def onward(*numbers: str) -> dict[str, list[str]]:
    """What ``showmigrations`` says of the portal's, after a ``migrate`` from each of these; ``--check`` finds none left."""
    said = {}
    for number in numbers:
        build(number)
        call_command("migrate", verbosity=0)
        call_command("migrate", check_unapplied=True, verbosity=0)  # ends the process where one is left
        shown = StringIO()
        call_command("showmigrations", "rollouts", stdout=shown, no_color=True)
        said[number] = shown.getvalue().split("\n")
        empty()
    return said


def filled(number: str) -> list[str]:
    """What the portal reads of a rollout that an earlier release wrote."""
    build(number)
    fill(number)
    call_command("migrate", verbosity=0)
    from rollouts.models import Phase, RampStep, Rollout

    phase, rollout, step = Phase.objects.get(rollout__slug="haiku"), Rollout.objects.get(), RampStep.objects.get()
    times = (phase.confirmed_at, phase.paused_at, phase.started_at and phase.started_at.date(), rollout.completed_at)
    return [phase.state, *map(str, times), str(step.percentage)]


def fill(number: str) -> None:
    """One rollout, as the release wrote it whose last migration this was: with its last phase skipped after it had begun."""
    old = MigrationExecutor(connection).loader.project_state([("rollouts", number)]).apps
    at = datetime(2026, 10, 1, tzinfo=UTC)

    def row(kind: str, /, **values: object) -> object:
        return old.get_model("rollouts", kind).objects.create(**values)

    instance, _ = old.get_model("rollouts", "GitLabInstance").objects.get_or_create(name="gitlab")
    flag = row("FeatureFlag", instance=instance, name="use_claude_code_completion")
    model = row("AIModel", slug="haiku", name="Haiku")
    template = row("PlanTemplate", slug="plain", title="Plain", document={})
    rollout = row("Rollout", slug="haiku", title="Haiku", flag=flag, ai_model=model, template=template, state="underway",
                  created_at=at, created_by="mia", completed_at=at)  # fmt: skip
    phase = row("Phase", rollout=rollout, name="everyone", title="All users", position=0, audience="everyone",
                state="skipped", optional=True, final_soak=timedelta(days=1), started_at=at, confirmed_at=at,
                paused_at=at, ended_at=at, reason="too slow")  # fmt: skip
    row("RampStep", phase=phase, percentage=25, soak=timedelta(minutes=15))
    row("ChecklistItem", rollout=rollout, phase=phase, key="bugs", title="Bugs?", kind="decision", gate="complete",
        confirmed_by="mia", confirmed_at=at - timedelta(days=1), evidence="none")  # fmt: skip


def broken_off() -> list[object]:
    """What is in a database whose ``migrate`` ended just before it wrote the words of events, and that went on then.

    Told are the words of its events, what is in it, and what is in one that nothing broke off.
    """
    from rollouts.audit import word_index
    from rollouts.models import EventWords

    class Ended(BaseException):
        pass

    def end(*_: object) -> None:
        raise Ended

    build("0035_keeping_runs")
    old = MigrationExecutor(connection).loader.project_state([("rollouts", "0035_keeping_runs")]).apps
    old.get_model("rollouts", "AuditEvent").objects.create(
        at=datetime(2026, 10, 1, tzinfo=UTC), actor="mia", verb="plan.apply", object_name="Haiku", chain="portal"
    )
    whole, word_index.fill = word_index.fill, end
    with suppress(Ended):
        call_command("migrate", verbosity=0)
    word_index.fill = whole
    call_command("migrate", verbosity=0)
    words, went_on = list(EventWords.objects.filter(event__actor="mia").values_list("text", flat=True)), told()
    empty()
    call_command("migrate", verbosity=0)
    return [words, went_on, told()]


def told() -> dict[str, object]:
    """Columns, constraints, indexes and triggers of the portal's tables, and the roles; in whatever order they are."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(OF_POSTGRESQL)
            rows: dict[str, object] = dict(cursor.fetchall())
        else:
            cursor.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
            rows = {name: _parts(sql) if kind == "table" else sql for kind, name, sql in cursor.fetchall()}
        cursor.execute("SELECT name FROM auth_group")
        roles = sorted(name for (name,) in cursor.fetchall())
    return {name: row for name, row in rows.items() if "rollouts_" in f"{name} {row}"} | {"roles": roles}


def empty() -> None:
    """As it was before the first migration."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    else:
        connection.close()
        Path(connection.settings_dict["NAME"]).unlink()


def _parts(sql: str) -> list[str]:
    """What stands between the outer brackets of a CREATE TABLE, at its commas."""
    parts, depth = [""], 0
    for sign in sql[sql.index("(") + 1 : sql.rindex(")")]:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return sorted(part.strip() for part in parts)


if __name__ == "__main__":
    django.setup()
    questions = (build, both, newest, onward, filled, broken_off)
    question = next(each for each in questions if each.__name__ == sys.argv[1])
    print(json.dumps(question(*sys.argv[2:])))
