"""Read feature flags: of an instance in one call, of a project in one call per page; keep what differs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ..audit.actor import Actor
from ..audit.deeds import deed
from ..gitlab import DefinitionRecord, FeatureRecord, GitLab, GitLabProblem, ProjectFlagRecord, StrategyRecord
from ..models import FeatureFlag, FlagReading, GitLabInstance, GitLabProject, Outcome, clock
from ..rules.expected import Presence
from ..rules.exposure import NOBODY, Exposure
from .outcome import Problem, Report
from .scopes import keep_problem, keep_success, must_wait

JOB = Actor.job("sync")
DEFINED = (
    "type",
    "group",
    "milestone",
    "default_enabled",
    "introduced_by_url",
    "rollout_issue_url",
    "feature_issue_url",
)


def sync_instance_flags(gitlab: GitLab, instance: GitLabInstance, report: Report) -> None:
    """One ``GET /features``; the definitions only when a flag of ours is not listed."""
    read_at = clock.now()
    if must_wait(instance, read_at, report, "flags"):
        return
    try:
        listed = {record.name: record for record in gitlab.features()}
    except GitLabProblem as problem:
        keep_problem(instance, "flags", problem, report, "flags")
        return
    known = {
        flag.name: flag
        for flag in FeatureFlag.objects.filter(instance=instance, project=None).select_related("reading")
    }
    carried = set(
        FeatureFlag.objects.filter(instance=instance, project=None, rollouts__isnull=False).values_list(
            "name", flat=True
        )
    )
    report.flags.seen += len(listed)
    for name, record in listed.items():
        _apply_listed(instance, known.get(name), record, read_at, report)
    absent = [
        flag
        for name, flag in known.items()
        if name not in listed and (name in carried or flag.presence not in (Presence.UNREAD, Presence.UNSET_OFF))
    ]
    if absent:
        definitions = _definitions(gitlab, report)
        for flag in absent:
            definition = definitions.get(flag.name) if definitions is not None else None
            default = (
                definition.default_enabled if definition else flag.default_enabled if definitions is None else None
            )
            presence = {True: Presence.UNSET_ON, False: Presence.UNSET_OFF, None: Presence.UNKNOWN}[default]
            if definition and default is None:
                presence = Presence.UNSET_OFF
            _apply(flag, presence, NOBODY, [], read_at, report, definition=definition)
            report.flags.missing += presence is Presence.UNKNOWN and flag.name in carried
    keep_success(instance, "flags", read_at)


def sync_project_flags(gitlab: GitLab, project: GitLabProject, flags: Iterable[FeatureFlag], report: Report) -> None:
    """``GET /projects/:id/feature_flags`` once, for all environments that plans name."""
    read_at = clock.now()
    try:
        listed = {record.name: record for record in gitlab.project_flags(project.path)}
    except GitLabProblem as problem:
        keep_problem(project, "flags", problem, report, f"flags of {project.path}")
        return
    report.flags.seen += len(listed)
    for flag in flags:
        record = listed.get(flag.name)
        if record is None:
            _apply(flag, Presence.UNKNOWN, NOBODY, [], read_at, report)
            report.flags.missing += 1
            continue
        try:
            exposure = _exposure_of(record, flag.environment)
        except ValueError as error:
            report.problems.append(Problem(flag.name, Outcome.BAD_ANSWER, f"{error}: the flag keeps its last reading."))
            continue
        raw = [_strategy(strategy) for strategy in record.strategies]
        _apply(flag, Presence.SET, exposure, raw, read_at, report)
    keep_success(project, "flags", read_at)


def _apply_listed(
    instance: GitLabInstance, flag: FeatureFlag | None, record: FeatureRecord, read_at: datetime, report: Report
) -> None:
    try:
        exposure = Exposure.from_gates((gate.key, gate.value) for gate in record.gates)
    except ValueError as error:
        report.problems.append(Problem(record.name, Outcome.BAD_ANSWER, f"{error}: the flag keeps its last reading."))
        return
    raw = [{"key": gate.key, "value": gate.value} for gate in record.gates]
    flag = flag or FeatureFlag(instance=instance, name=record.name)
    _apply(flag, Presence.SET, exposure, raw, read_at, report, definition=record.definition)


def _apply(
    flag: FeatureFlag,
    presence: Presence,
    exposure: Exposure,
    raw: list[Any],
    read_at: datetime,
    report: Report,
    *,
    definition: DefinitionRecord | None = None,
) -> None:
    """Keep a reading if it differs from the newest one; a row that does not change is not written."""
    if not _differs(flag, presence, exposure) and not _define(flag, definition):
        return
    with deed("flag.read", by=JOB) as doing:
        if flag.pk:  # look again under the lock: another pass may have been faster
            flag = FeatureFlag.objects.select_for_update().get(pk=flag.pk)
            if flag.reading and flag.reading.read_at > read_at:
                return
        redefined = _define(flag, definition)
        if not _differs(flag, presence, exposure):
            if redefined:
                flag.save()
                doing.verb, doing.about = "flag.define", flag
            return
        if not flag.pk:
            if found := FeatureFlag.objects.filter(
                instance=flag.instance, project=flag.project, name=flag.name, environment=flag.environment
            ).first():
                flag = found
            flag.save()
        reading = FlagReading.objects.create(
            flag=flag, read_at=read_at, presence=presence, gates=exposure.as_json(), raw=raw
        )
        flag.presence, flag.reading = presence, reading
        flag.save()
        doing.about = flag
        doing.rollout = flag.rollouts.first()
        doing.notes["read"] = flag.latest.words
        report.flags.changed += 1


def _differs(flag: FeatureFlag, presence: Presence, exposure: Exposure) -> bool:
    return flag.reading is None or flag.presence != presence or flag.reading.exposure != exposure


def _define(flag: FeatureFlag, definition: DefinitionRecord | None) -> bool:
    """Take over what GitLab says of a flag's definition; says whether anything is new. Nothing is emptied."""
    new = {
        name: value
        for name in DEFINED
        if definition is not None and (value := getattr(definition, name)) not in ("", None)
        if value != getattr(flag, name)
    }
    for name, value in new.items():
        setattr(flag, name, value)
    return bool(new)


def _definitions(gitlab: GitLab, report: Report) -> dict[str, DefinitionRecord] | None:
    """All definitions by name; None where GitLab does not give them (the flags' own stored defaults count then)."""
    try:
        return {record.name: record for record in gitlab.feature_definitions()}
    except GitLabProblem as problem:
        if problem.kind != Outcome.NOT_FOUND:  # an older GitLab has no such list: nothing is wrong
            report.problems.append(Problem("flag definitions", problem.kind, problem.words))
        return None


def _exposure_of(record: ProjectFlagRecord, environment: str) -> Exposure:
    return Exposure.from_strategies(
        active=record.active,
        strategies=[
            {"name": s.name, "parameters": s.parameters, "scopes": s.scopes, "user_xids": s.user_xids}
            for s in record.strategies
        ],
        environment=environment,
    )


def _strategy(strategy: StrategyRecord) -> dict[str, Any]:
    return {
        "id": strategy.id,
        "name": strategy.name,
        "parameters": dict(strategy.parameters),
        "scopes": list(strategy.scopes),
        "user_xids": list(strategy.user_xids),
    }
