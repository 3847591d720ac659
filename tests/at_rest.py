"""What must hold once nobody does anything any more, whatever happened before: each check gives what it has found."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connection
from django.utils import timezone

from gitlab_simulator import Simulator
from rollouts.models import AuditEvent, GitLabWrite, Phase, PortfolioRow, Rollout
from rollouts.models.change_log import AuditedModel, plain
from rollouts.rules.machine import BY_ITSELF, PHASE_VERBS
from rollouts.services import portfolio_rows
from rollouts.services.reconcile import look

#: Another object of an event, beside the one that it is about: «Phase 12: Whole company».
OTHER = re.compile(r"(\w+) (\d+): ")
EDGES = {edge for verb in PHASE_VERBS.values() for edge in verb.moves.items()}
EDGES |= {edge for moves in BY_ITSELF.values() for edge in moves.items()}
EDGES |= {("requested", "requested")}  # what is asked for has changed: a new round counts too


def faults(gitlab: Simulator) -> list[str]:
    """Everything that is wrong, in words; nothing where all is well."""
    return [*unsettled(), *broken_chains(), *illegal_walks(), *findings(), *old_rows(), *writes(gitlab)]


def unsettled() -> Iterator[str]:
    """Stored drift and confirmation are what the rules say of the newest reading."""
    now = timezone.now()
    for rollout in Rollout.objects.whole().open():
        findings = look(rollout, now)
        if findings:
            yield (
                f"unsettled: {rollout.slug}: drift is stored as {rollout.drift}, by the rules {findings.drift}; "
                f"confirmed {findings.confirmed}, unread {findings.unread}, requests {[one.verb for one in findings.requests]}"
            )


def changes() -> Iterator[tuple[AuditEvent, type[AuditedModel], int, dict[str, Any], dict[str, Any]]]:
    """Each change of each object, in the order of history: fields before and after."""
    models = {model.__name__: model for model in apps.get_models() if issubclass(model, AuditedModel)}
    for event in AuditEvent.objects.order_by("pk"):
        parts: dict[tuple[str, int], tuple[dict[str, Any], dict[str, Any]]] = defaultdict(lambda: ({}, {}))
        for side, values in enumerate((event.before, event.after)):
            for name, value in values.items():
                if isinstance(value, dict) and (other := OTHER.match(name)):
                    parts[other[1], int(other[2])][side].update(value)
                elif event.object_id.isdecimal():
                    parts[event.object_type, int(event.object_id)][side][name] = value
        for (label, pk), (before, after) in parts.items():
            if (model := models.get(label)) is not None:
                fields = {field.attname for field in model._meta.concrete_fields} - model.confidential_fields
                fields -= model.secret_fields
                yield (
                    event,
                    model,
                    pk,
                    {name: value for name, value in before.items() if name in fields},
                    {name: value for name, value in after.items() if name in fields and (name in before or not before)},
                )


def broken_chains() -> Iterator[str]:
    """Each change begins where the one before it ended, and what is stored is where the last one ended.

    Whatever was written without an event, or over something that another has written meanwhile, shows here.
    """
    known: dict[tuple[type[AuditedModel], int], dict[str, Any]] = defaultdict(dict)
    for event, model, pk, before, after in changes():
        held = known[model, pk]
        for name, value in before.items():
            if name in held and held[name] != value:
                yield (
                    f"chain: {model.__name__} {pk}.{name}: {event.verb} ({event.pk}) says it was {value!r}, "
                    f"history before says {held[name]!r}"
                )
        held.update(after)
    for (model, pk), held in known.items():
        row = model._base_manager.filter(pk=pk).values(*held).first()
        if row is None:
            continue  # deleted: the history says so
        for name, value in held.items():
            if plain(row[name]) != value:
                yield f"chain: {model.__name__} {pk}.{name} is stored as {row[name]!r}, the history ends at {value!r}"


def illegal_walks() -> Iterator[str]:
    """A phase's version counts its transitions, and each lies on a way that the machine allows."""
    for event, model, pk, before, after in changes():
        if model is not Phase or not before or "state" not in {*before, "version" if "version" in before else "state"}:
            continue
        if "version" not in before:
            if "state" in before:
                yield f"illegal: {event.verb} ({event.pk}) changed the state of phase {pk} and counted nothing"
            continue
        taken = after["version"] - before["version"]
        if "state" not in before:
            continue  # asked and answered while it is active
        reached = {before["state"]}
        for _ in range(taken):
            reached = {target for source, target in EDGES if source in reached}
        if taken < 1 or after["state"] not in reached:
            yield f"illegal: {event.verb} ({event.pk}): phase {pk} from {before} to {after}"


def findings() -> Iterator[str]:
    """One event for each finding: none twice, and none that says what the one before it has said."""
    stood: dict[tuple[str, int], Any] = {}
    for event, model, pk, _, after in changes():
        for name, verbs in (
            ("drift", {"drift.began", "drift.ended"}),
            ("confirmed_at", {"phase.confirmed", "phase.unconfirmed"}),
        ):
            if name not in after:
                continue
            value = after[name] if name == "drift" else after[name] is not None
            if event.verb in verbs and stood.get((model.__name__, pk)) == value:
                yield f"finding: {event.verb} ({event.pk}) of {model.__name__} {pk} says {value!r} again"
            stood[model.__name__, pk] = value


def old_rows() -> Iterator[str]:
    """The portfolio shows what it would show if all of it were worked out now."""
    shown = rows()
    PortfolioRow.objects.update(due_at=timezone.now())
    while portfolio_rows.bring_up_to_date():
        pass
    for slug, fresh in rows().items():
        for name, value in fresh.items():
            if shown[slug][name] != value:
                yield f"portfolio: {slug}: {name} is {shown[slug][name]!r}, worked out now {value!r}"


def rows() -> dict[str, dict[str, Any]]:
    found = {}
    for line in PortfolioRow.objects.select_related("rollout").prefetch_related("waits"):
        values = {field.attname: getattr(line, field.attname) for field in line._meta.concrete_fields}
        del values["due_at"]
        values |= {f"content {name}": value for name, value in values.pop("content").items()}
        found[line.rollout.slug] = values | {"waits": sorted(wait.who for wait in line.waits.all())}
    return found


def writes(gitlab: Simulator) -> Iterator[str]:
    """Nothing that was owed is forgotten, and nothing is in GitLab twice."""
    for write in GitLabWrite.objects.exclude(state__in=("done", "given_up", "cancelled")):
        yield f"outbox: {write.title} is {write.state} ({write.words})"
    project = gitlab.state.project("acme/app")["id"]
    found: Counter[str] = Counter()
    for issue in gitlab.state.table("issues", project).values():
        for text in (issue["description"] or "", *(note["body"] for note in issue["notes"])):
            found.update(re.findall(r"model-rollout-portal:(\w{32})", text))
    yield from (f"outbox: {marker} is {count} times in GitLab" for marker, count in found.items() if count > 1)
    done = GitLabWrite.objects.filter(state="done").exclude(kind="set_gates")
    yield from (f"outbox: {one.title} is done and not in GitLab" for one in done if one.marker not in found)


def deadlocks() -> int:
    """How many PostgreSQL has ended in this database since it was made."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot(), pg_stat_force_next_flush()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
