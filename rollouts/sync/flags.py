"""Read feature flags: of an instance in one call, of a project in one call per page; keep what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from ..audit.actor import Actor
from ..audit.recording import recorded_in_bulk
from ..gitlab import (
    DefinitionRecord,
    FeatureRecord,
    GitLab,
    GitLabProblem,
    ProjectFlagRecord,
    StrategyRecord,
    Unchanged,
)
from ..models import FeatureFlag, FlagReading, GitLabInstance, GitLabProject, Outcome, Rollout, clock
from ..rules.expected import Presence
from ..rules.exposure import NOBODY, Exposure
from ..rules.names import without_userinfo
from ..rules.phrases import say
from .outcome import Problem, Report
from .scopes import keep_problem, keep_success

JOB = Actor.job("sync")
#: Flags that are written in one transaction.
BATCH = 100
#: Rows that could not be read are all alike: so many of them are told.
MOST_TOLD = 5
DEFINED = (
    "type",
    "group",
    "milestone",
    "default_enabled",
    "introduced_by_url",
    "rollout_issue_url",
    "feature_issue_url",
)


@dataclass(slots=True)
class Read:
    """What GitLab says of one flag, before it is compared with what is known."""

    flag: FeatureFlag
    presence: Presence
    exposure: Exposure = NOBODY
    raw: list[Any] = field(default_factory=list)
    definition: DefinitionRecord | None = None


def sync_instance_flags(
    gitlab: GitLab, instance: GitLabInstance, report: Report, etags: dict[str, str] | None = None
) -> None:
    """One ``GET /features``; the definitions only when a flag of ours is not listed.

    ``etags`` holds what GitLab said the last time under ``flags``, how many it listed, and is kept up to date.
    """
    read_at = clock.now()
    etags = {} if etags is None else etags
    unread = Q(presence=Presence.UNREAD, rollouts__isnull=False) | Q(reading__source=FlagReading.Source.BY_HAND)
    try:
        unless = "" if instance.flags.filter(unread, project=None).exists() else etags.get("flags", "")
        listed = {record.name: record for record in gitlab.features(unless=unless)}
    except Unchanged:
        _count_again(etags, instance.flags.filter(project=None), report)
        keep_success(instance, "flags", read_at)
        return
    except GitLabProblem as problem:
        keep_problem(instance, "flags", problem, report, say("flags"))
        return
    etags |= {"flags": "" if gitlab.unread else gitlab.etag, "flags listed": str(len(listed))}
    is_whole = not _tell_unread(gitlab, report, say("flags"))
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
    reads = [
        read
        for name, record in listed.items()
        if (read := _listed(known.get(name) or FeatureFlag(instance=instance, name=name), record, report))
    ]
    absent = [
        flag
        for name, flag in known.items()
        if name not in listed and (name in carried or flag.presence not in (Presence.UNREAD, Presence.UNSET_OFF))
    ]
    if absent and is_whole:
        definitions = _definitions(gitlab, report)
        for flag in absent:
            definition = definitions.get(flag.name) if definitions is not None else None
            default = (
                definition.default_enabled if definition else flag.default_enabled if definitions is None else None
            )
            presence = {True: Presence.UNSET_ON, False: Presence.UNSET_OFF, None: Presence.UNKNOWN}[default]
            if definition and default is None:
                presence = Presence.UNSET_OFF
            reads.append(Read(flag, presence, definition=definition))
            report.flags.missing += presence is Presence.UNKNOWN and flag.name in carried
    _write(reads, read_at, report)
    keep_success(instance, "flags", read_at)


def sync_project_flags(
    gitlab: GitLab,
    project: GitLabProject,
    flags: Sequence[FeatureFlag],
    report: Report,
    etags: dict[str, str] | None = None,
) -> None:
    """``GET /projects/:id/feature_flags`` once, for all environments that plans name."""
    read_at = clock.now()
    etags = {} if etags is None else etags
    try:
        unless = (
            ""
            if any(flag.presence == Presence.UNREAD or _is_by_hand(flag) for flag in flags)
            else etags.get("flags", "")
        )
        listed = {record.name: record for record in gitlab.project_flags(project.address, unless=unless)}
    except Unchanged:
        _count_again(etags, project.flags.all(), report)
        keep_success(project, "flags", read_at)
        return
    except GitLabProblem as problem:
        keep_problem(project, "flags", problem, report, say("flags of {project}", project=project.path))
        return
    etags |= {"flags": "" if gitlab.unread else gitlab.etag, "flags listed": str(len(listed))}
    is_whole = not _tell_unread(gitlab, report, say("flags of {project}", project=project.path))
    report.flags.seen += len(listed)
    reads = []
    for flag in flags:
        record = listed.get(flag.name)
        if record is None and not is_whole:
            continue
        if record is None:
            reads.append(Read(flag, Presence.UNKNOWN))
            report.flags.missing += 1
            continue
        try:
            exposure = _exposure_of(record, flag.environment)
        except ValueError as error:
            report.problems.append(
                Problem(flag.name, Outcome.BAD_ANSWER, say("{error}: the flag keeps its last reading.", error=error))
            )
            continue
        reads.append(Read(flag, Presence.SET, exposure, [_strategy(strategy) for strategy in record.strategies]))
    _write(reads, read_at, report)
    keep_success(project, "flags", read_at)


def _count_again(etags: dict[str, str], flags: QuerySet[Any], report: Report) -> None:
    """GitLab said that all is as it was: it lists as many flags as the last time, and lacks the same ones."""
    report.flags.seen += int(etags.get("flags listed", 0))
    report.flags.missing += flags.filter(presence=Presence.UNKNOWN, rollouts__isnull=False).distinct().count()


def _tell_unread(gitlab: GitLab, report: Report, scope: str) -> bool:
    """Report rows that could not be read; while there are any, what is not listed may be one of them."""
    for problem in gitlab.unread[:MOST_TOLD]:
        report.problems.append(Problem.of(scope, problem))
    return bool(gitlab.unread)


def _listed(flag: FeatureFlag, record: FeatureRecord, report: Report) -> Read | None:
    try:
        exposure = Exposure.from_gates((gate.key, gate.value) for gate in record.gates)
    except ValueError as error:
        report.problems.append(
            Problem(record.name, Outcome.BAD_ANSWER, say("{error}: the flag keeps its last reading.", error=error))
        )
        return None
    raw = [{"key": gate.key, "value": gate.value} for gate in record.gates]
    return Read(flag, Presence.SET, exposure, raw, record.definition)


def _write(reads: Sequence[Read], read_at: datetime, report: Report) -> None:
    """Keep what differs from what is known, a hundred flags in one transaction."""
    differing = [read for read in reads if _differs(read) or _define(read.flag, read.definition)]
    for start in range(0, len(differing), BATCH):
        report.flags.changed += _write_batch(differing[start : start + BATCH], read_at)


def _write_batch(reads: Sequence[Read], read_at: datetime) -> int:
    """A reading for each flag whose exposure differs, and one event for each flag that changed; how many were read
    differently. Constant queries.
    """
    with recorded_in_bulk(by=JOB) as recording:
        _look_again(reads)
        FeatureFlag.objects.bulk_create([read.flag for read in reads if read.flag.pk is None])
        fresh = [read for read in reads if not (read.flag.reading and read.flag.reading.read_at > read_at)]
        redefined = {read.flag.pk for read in fresh if _define(read.flag, read.definition)}
        differing = {read.flag.pk: read for read in fresh if _differs(read)}
        readings = FlagReading.objects.bulk_create(
            FlagReading(
                flag=read.flag, read_at=read_at, presence=read.presence, gates=read.exposure.as_json(), raw=read.raw
            )
            for read in differing.values()
        )
        for reading in readings:
            reading.flag.presence, reading.flag.reading = reading.presence, reading
        rows = [read.flag for read in fresh if read.flag.pk in redefined or read.flag.pk in differing]
        FeatureFlag.objects.bulk_update(rows, ["presence", "reading", *DEFINED])
        of = Rollout.objects.on_flags([flag.pk for flag in rows])
        for reading in readings:
            flag, notes = reading.flag, {"read": reading.flag.latest.words}
            recording.close("flag.read", flag, reading, rollouts=of.get(flag.pk, []), notes=notes)
        for read in reads:
            recording.close("flag.define", read.flag, rollouts=of.get(read.flag.pk or 0, []))
    return len(differing)


def _look_again(reads: Sequence[Read]) -> None:
    """Take each flag's row as it is now, under its lock: another worker, or a plan, may have been faster."""
    rows = FeatureFlag.objects.locked().select_related("reading")
    by_id = rows.in_bulk([read.flag.pk for read in reads if read.flag.pk])
    new = [read.flag for read in reads if read.flag.pk is None]
    made = {
        (flag.name, flag.environment, flag.project_id): flag
        for flag in (rows.filter(instance=new[0].instance, name__in=[flag.name for flag in new]) if new else ())
    }
    for read in reads:
        flag = read.flag
        read.flag = by_id.get(flag.pk) or made.get((flag.name, flag.environment, flag.project_id)) or flag


def _differs(read: Read) -> bool:
    flag = read.flag
    if flag.reading is None or flag.presence != read.presence or _is_by_hand(flag):
        return True
    return bool(flag.reading.exposure != read.exposure)


def _is_by_hand(flag: FeatureFlag) -> bool:
    """Whether a person said it, not GitLab: it counts until GitLab is read again, whatever has changed there since."""
    return flag.reading is not None and flag.reading.source == FlagReading.Source.BY_HAND


def _define(flag: FeatureFlag, definition: DefinitionRecord | None) -> bool:
    """Take over what GitLab says of a flag's definition; says whether anything is new. Nothing is emptied."""
    new = {
        name: value
        for name in DEFINED
        if definition is not None and (value := _shown(getattr(definition, name))) not in ("", None)
        if value != getattr(flag, name)
    }
    for name, value in new.items():
        setattr(flag, name, value)
    return bool(new)


def _shown(value: Any) -> Any:
    """As it may be shown: everybody reads a definition's addresses."""
    return without_userinfo(value) if isinstance(value, str) else value


def _definitions(gitlab: GitLab, report: Report) -> dict[str, DefinitionRecord] | None:
    """All definitions by name; None where GitLab does not give them (the flags' own stored defaults count then)."""
    try:
        return {record.name: record for record in gitlab.feature_definitions()}
    except GitLabProblem as problem:
        if problem.kind != Outcome.NOT_FOUND:  # an older GitLab has no such list: nothing is wrong
            report.problems.append(Problem.of(say("flag definitions"), problem))
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
