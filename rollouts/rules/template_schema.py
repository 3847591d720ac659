"""The plan template as a person writes it: keys, types and names. What they mean together is judged in
``template_document``."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from . import gitlab_text, names
from .approval_policy import LIVES
from .durations import parse_duration
from .percentages import as_step
from .phrases import invalid
from .ramp import SAFE_SOAK, SAFE_STEPS
from .schema import Written, checked, filled, text, words
from .template import AudienceKind, Method
from .waivers import LONGEST


def rising_steps(steps: list[Decimal]) -> list[Decimal]:
    """Percentages of a ramp: rising, the last one 100. Raises ``ValueError`` with the cure."""
    if not steps:
        raise invalid("steps are empty. Write at least one, the last one 100, as in [1, 10, 25, 50, 75, 100].")
    if len(steps) > 50:
        raise invalid("steps may be 50 at most, here are {n}. Take fewer, larger steps.", n=len(steps))
    for one, two in pairwise(steps):
        if two == one:
            raise invalid("steps must rise: {two} is there twice. Take one of them out.", two=two)
        if two < one:
            raise invalid(
                "steps must rise: {two} comes after {one}. Put them in order, or start a second ramp.", two=two, one=one
            )
    if steps[-1] != 100:
        raise invalid("steps must end at 100: the last one is {value}. Add 100.", value=steps[-1])
    return steps


def _duration(value: Any) -> timedelta:
    try:
        return parse_duration(value)
    except ValueError as wrong:
        raise words(wrong.args[0]) from None


def _percentage(value: Any) -> Decimal:
    """A number as YAML reads it: in quotes it is a text, as anywhere else in a document."""
    try:
        return as_step(repr(value) if isinstance(value, str) else value)
    except ValueError as wrong:
        raise words(wrong.args[0]) from None


def _no_twins(entries: list[str]) -> list[str]:
    for position, entry in enumerate(entries):
        if entry in entries[:position]:
            raise invalid("«{entry}» is in the list twice. Keep one.", entry=entry)
    return entries


def _some_time(span: timedelta) -> timedelta:
    if span < timedelta(hours=1):
        raise invalid("a request must live for an hour at least. Write a longer time, such as 7d.")
    return span


def _while_somebody_looks(span: timedelta) -> timedelta:
    if not timedelta(minutes=1) <= span <= timedelta(days=1):
        raise invalid("a sign-in is fresh for a minute at least, and for a day at most. Write such as 15m.")
    return span


def _working_time(span: timedelta) -> timedelta:
    if not timedelta(minutes=10) <= span <= timedelta(days=20):
        raise invalid("it is decided within 10m at least and 20d at most, of working time. Write such as 8h: one day.")
    return span


Slug = Annotated[str, checked(names.slug)]
Title = Annotated[str, text(200), checked(gitlab_text.one_line)]
Prose = Annotated[str, text(5000)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Percentage = Annotated[Decimal, BeforeValidator(_percentage)]
Steps = Annotated[list[Percentage], checked(rising_steps)]
Actors = Annotated[list[Annotated[str, checked(names.actor)]], Field(max_length=500), checked(_no_twins)]
Groups = Annotated[list[Annotated[str, checked(names.feature_group)]], Field(max_length=100), checked(_no_twins)]
People = Annotated[list[Annotated[str, checked(names.person)]], Field(max_length=100), checked(_no_twins)]
#: Nobody is asked for more approvals than ten; none at all would be a rule that nobody keeps.
Count = Annotated[int, Field(ge=1, le=10)]
Addresses = Annotated[dict[str, Annotated[str, checked(names.web_address)]], filled]


class StepRuleWritten(Written):
    at_least: Percentage
    needed: Count


class JumpWritten(Written):
    points: Percentage
    needed: Count = 2


class ApprovalsWritten(Written):
    """Who must agree to a phase; what is left out is as in ``approval_policy.default_for`` its audience."""

    needed: Count | None = None
    roles: Annotated[list[Literal["manager", "approver", "admin"]], checked(_no_twins)] = ["approver"]
    groups: Annotated[list[Annotated[str, text(150)]], Field(max_length=20), checked(_no_twins)] = []
    requester_may: bool = False
    author_may: bool = False
    lives: Annotated[Duration, checked(_some_time)] = LIVES
    reauthenticate: Annotated[Duration, checked(_while_somebody_looks)] | None = None
    decide_within: Annotated[Duration, checked(_working_time)] | None = None
    steps: Annotated[list[StepRuleWritten], Field(max_length=50)] | None = None
    jump: JumpWritten | None = None


def _for_a_while(span: timedelta) -> timedelta:
    if span < timedelta(hours=1):
        raise invalid("a waiver lasts an hour at least. Write such as 30d.")
    return span


class WaivableWritten(Written):
    """Who may grant a waiver, and for how long at most."""

    roles: Annotated[list[Literal["manager", "approver", "admin"]], checked(_no_twins)] = ["approver"]
    groups: Annotated[list[Annotated[str, text(150)]], Field(max_length=20), checked(_no_twins)] = []
    longest: Annotated[Duration, checked(_for_a_while)] = LONGEST


class PhaseWritten(Written):
    """A phase of a template as written."""

    name: Slug
    title: Title
    audience: AudienceKind
    optional: bool = False
    recommended: Prose = ""
    actors: Actors = []
    groups: Groups = []
    method: Method = "percentage"
    steps: Steps = list(SAFE_STEPS)
    soak: Duration = SAFE_SOAK
    final_soak: Duration | None = None
    approvals: ApprovalsWritten = ApprovalsWritten()
    waivable: WaivableWritten | None = None


class ItemWritten(Written):
    """An item of a template as written."""

    key: Slug
    title: Title
    kind: Literal[
        "issue", "issue_closed", "tasks_done", "flag", "capacity", "manual", "decision", "announcement", "comparison"
    ]
    gate: Literal["start", "complete"] = "start"
    help: Prose = ""
    role: Slug | None = None
    phase: str | None = None
    required: bool = True
    guide: Title = ""
    waivable: WaivableWritten | None = None


class IssueWritten(Written):
    """The pattern of an issue as written."""

    title: Title
    description: Annotated[str, text(50_000)] = ""
    labels: Annotated[list[Title], Field(max_length=50)] = []
    confidential: bool = False
    project: Annotated[str, checked(names.project_path)] | None = None


class TemplateWritten(Written):
    """A template document."""

    template: Slug
    title: Title
    description: Prose = ""
    capacity_margin: Annotated[int, Field(ge=0, le=100)] = 20
    metrics_may: Literal["hold", "pause", "roll_back"] = "hold"
    phases: Annotated[list[PhaseWritten], Field(min_length=1, max_length=20)]
    items: Annotated[list[ItemWritten], Field(max_length=200)] = []
    issues: Annotated[dict[str, IssueWritten], filled] = {}
