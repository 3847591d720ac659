"""The shapes of answers, as the OpenAPI document tells them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field, PlainSerializer, WithJsonSchema

from ..rules.machine import PHASE_VERBS
from ..rules.notices import Kind as NoticeKind
from .questions import Verb

Moment = Annotated[
    datetime,
    PlainSerializer(lambda moment: moment.isoformat(), return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
#: A time that is text already, with its zone.
MomentWritten = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Next = Annotated[
    str | None,
    Field(
        description="Send it as `cursor` for the page that follows; null: this was the last. It is opaque, and fits "
        "this list only.",
    ),
]
Previous = Annotated[
    str | None,
    Field(description="Send it as `cursor` for the page before; null: this is the first."),
]
NextVerb = Annotated[
    str,
    WithJsonSchema({"type": "string", "enum": [*PHASE_VERBS, ""], "description": "Empty where the phase is settled."}),
]


class Exposure(Schema):
    boolean: bool
    percentage_of_actors: int | float
    percentage_of_time: int | float
    groups: list[str]
    actors: list[str]
    unknown_gates: list[str] = Field([], description="Gates that GitLab sent and the portal does not know.")


class FlagOfRollout(Schema):
    name: str
    expected: Exposure = Field(description="What the plan and the phases' states say that it should be.")
    read: Exposure | None = Field(description="What GitLab said; null where it was not read or does not know it.")
    read_at: Moment | None
    drift: str = Field(description="none, ahead, behind, different, missing.")


class Checklist(Schema):
    done: int
    required: int


class Blocker(Schema):
    code: str
    message: str
    url: str = Field(description="The page that clears it: a path of the portal.")


class BlockerOfVerb(Blocker):
    verb: NextVerb


class PhaseTold(Schema):
    name: str
    state: str
    attempt: int
    version: int = Field(description="Counts transitions: send it as `seen`.")
    optional: bool
    checklist: Checklist = Field(description="Required items that gate its start or its completion.")
    step: int | float | None = Field(description="The percentage at which it stands.")
    steps: list[int | float]
    blockers: list[BlockerOfVerb] = Field(description="What stands in the way of its next verb, for you.")


class PhaseListed(PhaseTold):
    blockers: list[BlockerOfVerb] = Field([], description="As of one rollout; left out but with `include=blockers`.")


class MetricTold(Schema):
    name: str
    unit: str
    at_most: int | float | None
    at_least: int | float | None
    above_baseline: int | float | None = Field(description="At most so many per cent above the baseline's.")
    below_baseline: int | float | None
    query: str = Field(description="What Prometheus is asked; empty where the figure is told.")
    baseline_query: str
    window: str = Field(description="The mean over so long counts; empty: the newest value.")
    samples: int = Field(description="Of so many values at least.")
    hurt_for: str = Field(description="Beyond for so long it does `then`.")
    then: str = Field(description="hold, pause or roll_back.")
    outcome: str = Field(description="kept, beyond; or not known: no_data, too_few, unread.")
    baseline: int | float | None
    values: int = Field(description="How many values were in the window.")
    beyond_since: Moment | None
    words: str
    value: int | float | None = Field(description="null where it was not measured yet.")
    measured_at: Moment | None
    measured_by: str
    beyond: bool = Field(description="Worse than the plan allows: no step begins by itself.")


class IssueTold(Schema):
    url: str
    title: str = Field(description="Empty where it was not read; of a confidential one that it is, without the role.")
    state: str
    is_confidential: bool
    read_at: Moment | None
    is_stale: bool


class FigureTold(Schema):
    name: str
    new: int | float
    baseline: int | float


class ComparisonTold(Schema):
    latency: Literal["better", "alike", "worse"]
    correctness: Literal["better", "alike", "worse"]
    verdict: Literal["better", "alike", "worse"] = Field(description="As a whole.")
    numbers: list[FigureTold]


class ItemTold(Schema):
    key: str
    phase: str | None = Field(description="null: the whole rollout's.")
    title: str
    kind: str
    gate: str
    required: bool
    done: bool
    words: str = Field(description="The fact behind it: the evidence, or what GitLab says.")
    waived: str = Field(description="The waiver by which it is gone without, in words, or that it is over.")
    confirmed_by: str
    confirmed_at: Moment | None
    may_confirm: bool = Field(description="Whether you can confirm it now.")
    may_unconfirm: bool
    waits: str = Field(description="Why nobody can know it yet.")
    criterion: str = Field(description="Of a criterion what it decides: success, continue, pause, roll_back.")
    step: int | float | None = Field(description="Of a criterion that one step asks for: its percentage.")
    answer: str = Field(description="Of a criterion whether it holds: yes, no, or empty while nobody has said.")
    owner: str = Field(description="Of a decision who sees to it.")
    link: str = Field(description="Of a decision or a comparison.")
    comparison: ComparisonTold | None = Field(description="Of a comparison with the baseline, once it was recorded.")
    issue: IssueTold | None


class Items(Schema):
    items: list[ItemTold] = Field(description="The checklist as you may see it, all of it.")


class CommentTold(Schema):
    author: str
    at: MomentWritten | None
    body: str = Field(description="As text, its first 2,000 characters.")
    url: str
    is_internal: bool
    reactions: dict[str, int] = Field(description="How many gave which emoji.")


class FeedbackTold(Schema):
    issue: str
    may_see: bool = Field(description="False: the issue is confidential or not there, and nothing of it is told.")
    read_at: MomentWritten | None
    since: MomentWritten | None = Field(description="When the phase began that runs, or ran last.")
    phase: str | None
    count: int = Field(description="Comments since then.")
    is_more: bool = Field(description="Whether there may be more than were read.")
    reactions: dict[str, int] = Field(description="Of the issue and of the comments below.")
    labels: list[str]
    comments: list[CommentTold] = Field(description="The newest first.")


class FeedbackOfRollout(Schema):
    slug: str
    feedback: list[FeedbackTold]


class ApprovalThen(Schema):
    by: str
    at: Moment
    counted: bool = Field(description="Whether it was for what would have been done then, by somebody who might.")
    source: str
    way: dict[str, Any]


class RequestThen(Schema):
    phase: str
    attempt: int
    what: str
    state: str
    requested_by: str
    requested_at: Moment
    needed: int | None = Field(description="null where it was over: how many it had needed.")
    approvals: list[ApprovalThen]


class LockThen(Schema):
    title: str
    until: Moment | None


class ItemThen(Schema):
    phase: str | None
    key: str
    title: str
    required: bool
    done: bool
    words: str
    confirmed_by: str
    confirmed_at: Moment | None


class AsOf(Schema):
    """What the page had besides, out of the events until then."""

    at: Moment
    events: int = Field(description="So many events of the rollout's history had happened.")
    newest_event: int = Field(description="The number of the last of them.")
    words: str = Field(description="How it did, in a sentence.")
    coming: str = Field(description="What came next, and for whom it waited.")
    checklist: list[ItemThen]
    requests: list[RequestThen]
    could_approve: list[str] = Field(description="Who could have approved what was asked for, or what came next.")
    locks: list[LockThen] = Field(description="Change locks that held.")
    plan: str = Field(description="The plan document of then.")
    untold: list[str] = Field(description="What the history does not hold: nothing is guessed.")


class ChangedField(Schema):
    type: str
    id: str
    name: str
    field: str
    before: Any = Field(description="null where the object was not there.")
    after: Any


class ChangedWords(Schema):
    what: str
    before: str
    after: str


class Changes(Schema):
    since: Moment
    until: Moment
    events: int
    summary: list[ChangedWords] = Field(description="What the top of the page would have said, before and after.")
    fields: list[ChangedField]


class Predicted(Schema):
    at: MomentWritten | None = Field(description="When all users have it, about; null where too few have finished.")
    since: MomentWritten | None
    until: MomentWritten | None
    rate: float = Field(description="In so many of all cases it is from since to until.")
    samples: int = Field(description="Finished rollouts of the template that it is drawn from.")
    words: str


class Ordered(Schema):
    order: Literal["after", "not_with"] = Field(
        description="after: not before that one is complete; not_with: never in the same phase or on the same day."
    )
    slug: str
    title: str
    state: str
    url: str


class RolloutTold(Schema):
    slug: str
    title: str
    state: str
    health: str
    flag: FlagOfRollout
    model: str = Field(description="Slug of the AI model.")
    baseline: str | None = Field(description="Slug of the AI model that it replaces.")
    order: list[Ordered] = Field(description="Other rollouts that it is ordered with, by its plan or by theirs.")
    phases: list[PhaseTold]
    guard_metrics: list[MetricTold] = Field(description="Figures that the plan bounds, each as last measured.")
    prediction: Predicted | None = Field(
        None, description="When everybody will have it; null where all have, it is over, or was asked for as of then."
    )
    url: str
    then: AsOf | None = Field(None, description="Only where `as_of` was asked for.")
    changed: Changes | None = Field(None, description="Only where `since` was asked for.")


class RolloutListed(RolloutTold):
    phases: list[PhaseListed]  # type: ignore[assignment] # all that a list leaves out is who asks


class FactTold(Schema):
    name: str
    words: str
    ok: bool
    at: Moment | None = Field(description="As of when that is known.")


class CallTold(Schema):
    words: str
    chat: str
    api: str


class ExpectedTold(Schema):
    now: Exposure
    then: Exposure


class DryRunTold(Schema):
    """A dry run: nothing was changed."""

    dry_run: bool
    ok: bool = Field(description="Whether it would pass now.")
    verb: Verb
    phase: str
    blockers: list[Blocker]
    facts: list[FactTold]
    approvals: str
    digest: str = Field("", description="Of the request that stands there: send it as `looked_at` when you decide.")
    expected: ExpectedTold
    calls: list[CallTold] = Field(description="The exact calls to GitLab.")


class ApprovalTold(Schema):
    by: str
    at: Moment
    counts: bool = Field(description="Whether it is for what would be done now, by somebody who still may.")
    source: str = Field("", description="From where it came: page, admin, api, command.")
    way: dict[str, Any] = Field({}, description="By which session, token or user of the operating system.")


class ClockTold(Schema):
    """Seconds of working time of those who are asked; it stands while the request is back with who asked."""

    waited: int
    runs: bool
    within: int | None = Field(description="In which it should be decided, by the policy.")
    reminder_at: Moment | None
    ends_at: Moment | None
    reminders: int = Field(description="1 from half of the time on, 2 from its end on.")
    first_answer_after: int | None
    decided_after: int | None


class SameDay(Schema):
    slug: str
    title: str
    day: date = Field(description="In UTC.")
    same_audience: bool
    same_quota: bool
    words: str


class RequestTold(Schema):
    id: int
    rollout: str
    phase: str
    what: str
    percentage: int | float | None
    state: str
    requested_by: str
    requested_at: Moment
    expires_at: Moment
    digest: str = Field(description="Of exactly what would be done: send it as `looked_at` when you approve.")
    content: dict[str, Any]
    changed: list[str]
    needed: int
    approvals: list[ApprovalTold]
    blockers: list[Blocker] = Field(description="Why you can't approve it.")
    same_day: list[SameDay] = Field(
        description="Other rollouts that let more people in on a day on which this would, over one audience or quota."
    )
    clock: ClockTold
    asked: list[str] = Field(description="Whose yes would count, who is away left out for who stands in.")
    url: str


class Requests(Schema):
    items: list[RequestTold]
    next: Next
    previous: Previous


class WaiverTold(Schema):
    id: int
    rollout: str
    phase: str | None = Field(description="Which is skipped, or whose item it is; null: the whole rollout's.")
    item: str | None = Field(description="The checklist item that is gone without; null: the phase is skipped.")
    drift_case: int | None = Field(description="The drift case that is let stand, or adopted.")
    adopts: bool = Field(description="Whoever grants it lets the plan take over what GitLab has.")
    what: str
    state: str = Field(description="asked, granted, refused, withdrawn, ended, expired, adopted.")
    stands: bool = Field(description="Granted, and its end is yet to come.")
    asked_by: str
    asked_at: MomentWritten
    reason: str
    ends_at: MomentWritten
    decided_by: str
    decided_at: MomentWritten | None
    note: str
    closed_by: str
    closed_at: MomentWritten | None
    closing: str
    may: dict[str, list[Blocker]] = Field(description="What fits its state, each with what stands in your way.")
    url: str


class Waivers(Schema):
    items: list[WaiverTold]
    next: Next
    previous: Previous


class DriftCaseTold(Schema):
    id: int
    rollout: str
    flag: str
    kind: str = Field(description="missing, default_on, boolean, wrong_gate, foreign_actor, ahead, behind, reopened.")
    words: str
    state: str = Field(description="open, ended.")
    owner: str = Field(description="User name of whose it is; empty where the rollout had no owner.")
    since: MomentWritten = Field(description="From when GitLab stood so, as far as it was read.")
    found_at: MomentWritten
    seconds: int = Field(description="How long it lasted, or lasts by now.")
    what: list[str] = Field(description="Who or what it is, as far as it has a name.")
    gitlab: str = Field(description="Where GitLab stood when it was found.")
    plan: str
    changed_by: str = Field(description="Who changed the flag, as GitLab's log of flag changes says; empty if unknown.")
    changed_at: MomentWritten | None
    command: str = Field(description="What they typed after /chatops.")
    log_url: str = Field(description="The issue that logs the change.")
    answer: str = Field(description="What was done about it: restore, adopt, or nothing yet.")
    answered_by: str
    answered_at: MomentWritten | None
    accepted_until: MomentWritten | None = Field(description="Until when somebody else let it stand.")
    ended_at: MomentWritten | None
    ending: str = Field(description="itself, restored, adopted, over; empty while it is open.")
    url: str


class DriftAnswered(Schema):
    case: DriftCaseTold
    waiver: WaiverTold | None = Field(description="What somebody else now decides about; null where it is restored.")


class DriftCases(Schema):
    items: list[DriftCaseTold]
    next: Next
    previous: Previous


class LooseEndTold(Schema):
    title: str = Field(description="The rollout, flag or AI model that it is about.")
    words: str
    rollout: str | None
    url: str
    cure: str = Field(description="What ends it.")
    cure_url: str = Field(description="Where that is done.")


class LooseEndsOfKind(Schema):
    kind: str
    title: str
    count: int
    items: list[LooseEndTold] = Field(description="The first 50.")


class LooseEnds(Schema):
    kinds: list[LooseEndsOfKind] = Field(description="Every kind that is looked for, those without any too.")
    count: int


class WaiverRehearsed(Schema):
    """A dry run: nothing was changed."""

    dry_run: bool
    ok: bool = Field(description="Whether it would pass now.")
    blockers: list[Blocker]


class Rollouts(Schema):
    items: list[RolloutListed]
    next: Next
    previous: Previous


class ApprovalReported(Schema):
    by: str
    at: Moment
    way: str = Field(description="By which door, session or token, in words.")
    for_this: bool = Field(description="Whether it was for what was asked last, and not for what that had been before.")
    digest: str
    note: str


class RequestReported(Schema):
    what: str
    phase: str
    state: str
    requested_by: str
    requested_at: Moment
    way: str
    digest: str
    saw: list[str] = Field(description="What the approvers were shown, in sentences; the digest is of all of it.")
    approvals: list[ApprovalReported]
    closed_by: str
    closed_at: Moment | None
    reason: str


class MoveReported(Schema):
    event: int
    at: Moment
    by: str
    verb: Verb
    phase: str
    for_whom: str = Field(description="Whom it let in by the plan; empty where it let in nobody.")
    reason: str
    way: str


class ReadingReported(Schema):
    at: Moment
    live_for: str
    source: str
    entered_by: str
    evidence: str


class OverrideReported(Schema):
    verb: Verb
    phase: str
    by: str
    at: Moment
    reason: str
    passed: list[str]
    reviewed_by: str
    reviewed_at: Moment | None
    verdict: str


class WaiverReported(Schema):
    number: int
    what: str
    phase: str | None
    item: str | None
    state: str
    asked_by: str
    asked_at: Moment
    way: str
    reason: str
    ends_at: Moment
    decided_by: str
    decided_at: Moment | None
    note: str
    closed_by: str
    closed_at: Moment | None
    closing: str


class LockReported(Schema):
    title: str
    from_: Moment = Field(alias="from", serialization_alias="from")
    until: Moment


class DriftReported(Schema):
    from_: Moment = Field(alias="from", serialization_alias="from")
    until: Moment | None = Field(description="null: it lasts.")
    seconds: float
    kind: str = Field(description="The class in words; empty of what was before there were cases.")
    gitlab: str
    plan: str


class EvidenceReported(Schema):
    item: str
    phase: str
    confirmed_by: str
    confirmed_at: Moment
    evidence: str


class RolloutReport(Schema):
    slug: str
    title: str
    state: str
    model: str
    flag: str
    planned_by: str
    authors: list[str]
    owners: list[str]
    made_at: Moment
    until: Moment
    gone_before: Moment | None = Field(description="`moves` and `drift` of before are past their age and gone.")
    requests: list[RequestReported]
    moves: list[MoveReported] = Field(description="What was let in and taken back, when and by whom.")
    readings: list[ReadingReported] = Field(description="Who saw it, as read from GitLab: the newest 500.")
    readings_all: int
    overrides: list[OverrideReported]
    waivers: list[WaiverReported]
    locks: list[LockReported]
    drift: list[DriftReported]
    evidence: list[EvidenceReported]


class RowReported(Schema):
    rollout: str
    title: str
    at: Moment
    words: str
    seconds: float | None


class FigureReported(Schema):
    name: str
    title: str
    count: int
    median_seconds: float | None
    rows: list[RowReported] = Field(description="The newest 200.")


class WaitReported(Schema):
    phase: str
    what: str
    words: str
    median_seconds: float
    rollouts: int = Field(description="Of so many that were completed in this time, 50 at most, and had this phase.")


class MonthReported(Schema):
    month: str = Field(description="In which they were completed, in UTC: 2026-11.")
    count: int
    median_seconds: float = Field(description="From plan to end.")


class PeriodReport(Schema):
    from_: Moment = Field(alias="from", serialization_alias="from")
    to: Moment
    gone_before: Moment | None = Field(description="Events of before are past their age: they are not counted.")
    figures: list[FigureReported]
    waits: list[WaitReported] = Field(description="What each phase's time was spent on.")
    months: list[MonthReported]


class PlanTold(Schema):
    slug: str
    document: str = Field(description="YAML. Applied again it changes nothing.")
    digest: str = Field(description="What it is known by; the header `ETag` has it in quotes.")


class StepLoadTold(Schema):
    percentage: int | float
    needed: int = Field(description="Requests a minute of this rollout at this step.")
    total: int = Field(description="With what others ask of the quota, and the margin.")
    is_short: bool
    at: MomentWritten | None = Field(description="When the step comes at the earliest.")
    ask_by: MomentWritten | None = Field(description="By when a larger quota is to be asked for.")
    is_late: bool


class CapacityTold(Schema):
    slug: str
    model: str
    quota: int | None = Field(description="Requests a minute; null where nobody has said.")
    lead_time_seconds: int | None = Field(description="How long a larger quota takes to be granted.")
    peak: int | None
    others: int = Field(description="What other rollouts of the model ask now.")
    untold: int = Field(description="Of how many other rollouts nobody has said it.")
    margin: int = Field(description="Per cent.")
    words: str
    steps: list[StepLoadTold]


class PlanApproved(Schema):
    by: str
    at: MomentWritten
    what: str = Field(description="The phase.")
    event: int = Field(description="Its number in the history.")


class PlanVersion(Schema):
    digest: str = Field(description="What this document is known by.")
    at: MomentWritten = Field(description="From when on it stood.")
    by: str
    verb: str = Field(
        description="What made it so, as `GET /audit` has it: `plan.apply`; verbs as `phase.start` change no plan."
    )
    reason: str
    is_first: bool
    difference: list[str] = Field(description="Lines as a unified diff to the version before; none for the first.")
    approvals: list[PlanApproved] = Field(description="Who approved something while it stood.")
    document: str


class PlanVersions(Schema):
    slug: str
    versions: list[PlanVersion] = Field(description="The newest first, 20 at most.")
    are_more: bool = Field(description="Whether there were earlier ones.")
    untold: str = Field(description="Why there are none, where the history can't tell.")


class PlanApplied(Schema):
    slug: str
    title: str
    created: bool
    dry_run: bool
    changes: list[str] = Field(description="Sentences; none: the plan says what is.")
    url: str


class FlagTold(Schema):
    name: str
    instance: str
    project: str | None
    environment: str | None
    type: str
    group: str
    milestone: str
    default_enabled: bool | None
    presence: str = Field(description="unread, set, unset_off, unset_on, unknown.")
    exposure: Exposure | None
    since: Moment | None = Field(description="When GitLab was first read so.")
    read_at: Moment | None = Field(description="When GitLab was last read.")
    is_stale: bool = Field(description="Older than the freshness limit, or never read: the portal does not know.")
    rollouts: list[str] = Field(description="Slugs of the rollouts behind it.")
    url: str


class Flags(Schema):
    items: list[FlagTold]
    next: Next
    previous: Previous


class ReadingTold(Schema):
    read_at: Moment
    presence: str
    exposure: Exposure | None
    source: str = Field(description="sync or by_hand.")
    entered_by: str
    evidence: str


class Readings(Schema):
    items: list[ReadingTold]
    next: Next
    previous: Previous


class Inclusion(Schema):
    actor: str = Field(description="Who was judged, as GitLab names them: User:42.")
    included: bool | None = Field(description="null where only GitLab knows, or nothing was read.")
    percentage_at_which_in: int | float | None = Field(
        description="In as soon as the percentage of actors is above this; of a project's flag, from this on. "
        "null where the percentage does not decide by the id."
    )
    why: str
    is_stale: bool = Field(description="Older than the freshness limit, or never read: the portal does not know.")


class WhoDid(Schema):
    kind: str
    name: str


class WhatChanged(Schema):
    type: str
    id: str
    name: str


class EventTold(Schema):
    id: int
    at: MomentWritten
    actor: WhoDid
    verb: str = Field(description="What was done to what: `phase.start`, `lock.end`, `token.issue`.")
    object: WhatChanged
    rollout: str | None
    reason: str
    source: str
    request_id: str
    way: dict[str, Any] = Field(
        {},
        description="By what way it came: `os_user`, `token` (id, name, how it begins), `session`; which `pass`.",
    )
    before: dict[str, Any]
    after: dict[str, Any]
    confidential: dict[str, Any] = Field({}, description="Only for those whose role sees it.")


class Events(Schema):
    items: list[EventTold]
    next: Next
    previous: Previous
    count: int = Field(description="How many fit in all, counted up to 1,000.")
    is_more: bool = Field(description="Whether more fit than were counted.")


class CheckpointTold(Schema):
    size: int = Field(description="So many events stand under it.")
    root: str = Field(description="Of their Merkle tree (RFC 6962), as hex.")
    at: Moment


class FirstBad(Schema):
    event: int | None
    chain: str
    why: str


class VerifyTold(Schema):
    ok: bool | None = Field(description="Whether all stands as it was sealed; null where it was never verified yet.")
    events: int
    chains: int = Field(description="One for each rollout, and one for what belongs to none.")
    tombstones: int = Field(description="How many of the events are told as gone, by an event that is sealed itself.")
    checkpoint: CheckpointTold | None = Field(description="The newest that it was held against.")
    first_bad: FirstBad | None
    verified_at: Moment | None


class ScopeTold(Schema):
    outcome: str
    words: str
    read_at: Moment | None
    is_stale: bool = Field(description="Older than the freshness limit, or never read: the portal does not know.")


class ProjectTold(Schema):
    path: str
    issues: ScopeTold
    flags: ScopeTold


class SeenFlags(Schema):
    seen: int
    changed: int
    missing: int


class SeenIssues(Schema):
    tracked: int
    changed: int
    missing: int


class RunTold(Schema):
    started_at: Moment
    finished_at: Moment | None
    outcome: str
    trigger: str
    calls: int
    seconds: float
    flags: SeenFlags
    issues: SeenIssues
    problems: list[dict[str, Any]]


class PassTold(Schema):
    planned: int = Field(description="Instances and projects to read.")
    done: int


class RateTold(Schema):
    limit: int | None = Field(description="Calls a minute that GitLab allows; null where it does not say.")
    remaining: int | None
    allowance: int | None = Field(description="Calls a minute that the portal allows itself; null for no limit.")
    used: int = Field(description="The portal's calls in the minute that runs.")


class HooksTold(Schema):
    waiting: int
    worked: int = Field(description="Within a day.")
    newest: Moment | None
    oldest: Moment | None = Field(description="When the oldest of those that wait came.")


class WritesTold(Schema):
    waiting: int
    given_up: int
    oldest: Moment | None = Field(description="When the oldest of those that wait was asked for.")


class InstanceTold(Schema):
    name: str
    url: str
    flags: ScopeTold
    projects: list[ProjectTold]
    last_run: RunTold | None = Field(description="The newest pass that has ended.")
    under_way: PassTold | None
    held_until: Moment | None = Field(description="Nothing is asked of it before; words say why.")
    words: str
    rate: RateTold
    token_expires_on: date | None
    webhooks: HooksTold
    writes: WritesTold


class SyncTold(Schema):
    instances: list[InstanceTold]


class AwayTold(Schema):
    """Somebody is away from ``since`` until just before ``until``, and ``instead`` is asked."""

    id: int
    since: datetime
    until: datetime
    instead: str


class PersonTold(Schema):
    """Somebody as everybody may know them; the slugs are of open rollouts, at most 50."""

    name: str
    full_name: str
    has_account: bool = Field(
        description="False for an owner whom a plan names, or who did something once, and who has no account here."
    )
    is_active: bool
    roles: list[str]
    at_provider: str = Field(description="What the identity provider calls them; empty where they don't come by it.")
    gitlab_user: str = Field(
        description="What the followed GitLab calls them, as they showed by a sign-in there; plans may name them so."
    )
    same_human: list[str] = Field(
        description="Other accounts that their GitLab user was in: one pair of eyes with them."
    )
    away: list[AwayTold] = Field(description="Now and later.")
    stands_for: list[str] = Field(description="Who is away now, and instead of whom this person is asked.")
    owns: list[str]
    waiting: list[str] = Field(description="What waits for them to do something.")


class ListedPerson(Schema):
    """An account, in a line."""

    name: str
    full_name: str
    gitlab_user: str = Field(description="What the followed GitLab calls them, as they showed by a sign-in there.")
    roles: list[str]
    is_active: bool
    owns: int = Field(description="How many open rollouts.")
    away_until: datetime | None = Field(description="Where they are away now.")
    instead: str = Field(description="Who is asked while they are away.")


class People(Schema):
    items: list[ListedPerson]
    next: Next
    previous: Previous


class NoticeTold(Schema):
    """Something that happened and concerns the caller."""

    event: int = Field(description="Its number in the history: `GET /audit`.")
    at: datetime
    kind: NoticeKind
    verb: str = Field(description="What was done to what, as `GET /audit` has it: `phase.start`.")
    by: str
    rollout: str | None
    phase: str | None
    to_do: str = Field(description="What the caller can do about it, in English.")
    until: datetime | None = Field(description="When the request expires.")
    read_at: datetime | None = Field(description="When they marked it as read on the portal's pages.")
    url: str = Field(description="The page where it is done, at the button.")


class Notices(Schema):
    items: list[NoticeTold]
    next: Next
    previous: Previous


class WishesTold(Schema):
    """How the caller is told, the usual included."""

    by_mail: dict[NoticeKind, Literal["now", "digest", "off"]] = Field(description="By kind.")
    by_bell: dict[NoticeKind, Literal["now", "off"]] = Field(description="By kind.")
    zone: str
    language: str
    digest_hour: int = Field(description="When the daily digest comes, in their zone.")
    quiet_from: int | None = Field(description="From this hour of their zone on no mail is sent.")
    quiet_until: int | None
    address: str = Field(description="Where mails go; empty where the portal knows no address.")


class FollowTold(Schema):
    rollout: str
    how: Literal["follow", "mute", "usual"]


class Welcome(Schema):
    """Who you are to the portal, and where to read on."""

    name: str
    roles: list[str]
    docs: str
    openapi: str


# Refusals


class Wrong(Schema):
    where: Literal["path", "query", "body"]
    name: str
    line: int | None
    message: str


class ProblemTold(Schema):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Wrong] = []
    blockers: list[Blocker] = []
