"""What changed of a rollout between two moments: in words, field by field, and which events did it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from ..models import (
    AIModel,
    ApprovalRequest,
    AuditEvent,
    ChangeLock,
    ChecklistItem,
    FeatureFlag,
    Override,
    Phase,
    PlanTemplate,
    RampStep,
    Rollout,
    RolloutIssue,
    RolloutOrder,
    TrackedIssue,
    Waiver,
)
from ..models.change_log import AuditedModel
from ..rules import health
from ..rules.as_of import differing
from ..rules.machine import state_in_words
from ..rules.phrases import say
from .as_of import Looker, NotThere, Past

#: Of what is told field by field, in this order.
KINDS: tuple[type[AuditedModel], ...] = (
    Rollout, Phase, RampStep, ChecklistItem, ApprovalRequest, Override, Waiver, RolloutIssue, RolloutOrder,
    TrackedIssue, FeatureFlag, AIModel, PlanTemplate, ChangeLock,
)  # fmt: skip
#: What only the portal reads.
BOOKKEEPING = frozenset(
    {"id", "version", "digest", "carried", "content", "way", "policy", "changed", "position", "rule"}
)


@dataclass(frozen=True, slots=True)
class Changed:
    """One field of one object before and after; None where the object was not there."""

    kind: str
    key: str
    name: str
    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """``summary``: (what, before, after) in words, of what a page shows at its top. ``events`` happened in between."""

    since: Past
    until: Past
    summary: tuple[tuple[str, str, str], ...]
    changes: tuple[Changed, ...]
    events: QuerySet[AuditEvent]


def between(slug: str, since: datetime, until: datetime, *, sees_confidential: bool) -> Difference:
    """Raises ``Rollout.DoesNotExist`` and ``NotThere``."""
    if since >= until:
        raise NotThere(say("Ask for what changed since a moment that is before the other one."))
    looker = Looker(slug, until)
    one, two = looker.at(since), looker.at(until)
    events = AuditEvent.objects.of_rollout(slug).filter(at__gt=since, at__lte=until).newest_first()
    return Difference(one, two, tuple(_summary(one, two)), tuple(_changes(looker, one, two, sees_confidential)), events)


def _changes(looker: Looker, one: Past, two: Past, sees_confidential: bool) -> Iterator[Changed]:
    for kind in KINDS:
        told = {column.attname for column in kind._meta.concrete_fields} - BOOKKEEPING
        if not sees_confidential:
            told -= kind.confidential_fields
        names = {name for name in told if not name.endswith("_id")} | ({"flag_id"} & told)
        for key in looker.replay.keys(kind.__name__):
            before, after = (looker.replay.values(kind.__name__, key, past.moment) for past in (one, two))
            for field, was, became in differing(before, after):
                if field in names and (was or became):
                    name = looker.replay.name(kind.__name__, key)
                    yield Changed(kind.__name__, key, name, field, was, became)


def _summary(one: Past, two: Past) -> Iterator[tuple[str, str, str]]:
    before, after = (dict(_lines(past)) for past in (one, two))
    for what in dict.fromkeys((*before, *after)):
        if before.get(what) != after.get(what):
            yield what, before.get(what, "–"), after.get(what, "–")


def _lines(past: Past) -> Iterator[tuple[str, str]]:
    facts, done = past.facts, past.facts.items_due
    yield say("State"), state_in_words(facts.state)
    yield say("Health"), health.judge(facts).health.words
    for phase in facts.phases:
        words = state_in_words(phase.state)
        if phase.opening.step:
            words = say("{state} at {percentage} %", state=words, percentage=phase.opening.step)
        yield phase.title, words
        if request := phase.request:
            given = say("{given} of {needed}", given=len(request.counting()), needed=request.policy.needed)
            yield say("Approvals of {phase}", phase=phase.title), given
    yield say("GitLab"), facts.reading.words
    yield say("Plan"), facts.expected.words
    yield (
        say("Checklist"),
        say("{done} of {all}", done=sum(item.verdict.satisfied for item in done), all=len(done)),
    )
    yield say("Change locks"), ", ".join(lock.title for lock in facts.locks) or say("none")
