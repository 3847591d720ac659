"""The shapes of questions, as the OpenAPI document tells them: what stands in addresses and bodies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    create_model,
    model_validator,
)

from ..rules.datetimes import asked_since, asked_until, parse_moment
from ..rules.drift_cases import Answer
from ..rules.machine import PHASE_VERBS, ROLLOUT_VERBS
from ..rules.notices import Kind as NoticeKind
from ..rules.percentages import as_step
from ..rules.phrases import shorten
from ..rules.waivers import VERBS as WAIVER_VERBS
from ..services import items, who_is_in
from ..services.lists.asked import Asked, Filter, Moment, OneOf
from ..services.lists.drift import DriftFilter
from ..services.lists.flags import FlagFilter
from ..services.lists.history import HistoryFilter
from ..services.lists.people import PeopleFilter
from ..services.lists.rollouts import RolloutFilter
from ..services.lists.waivers import WaiverFilter
from . import pages
from .problems import Problem, error


def _read_by(read: Callable[[str], datetime]) -> Callable[[Any], datetime]:
    def asked(text: Any) -> datetime:
        try:
            return read(str(text))
        except ValueError as wrong:
            raise ValueError(f"{wrong} (In an address a + is written %2B.)") from None

    return asked


_TOLD = WithJsonSchema(
    {
        "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}],
        "examples": ["2026-11-01", "2026-11-01T14:00Z"],
    }
)
Since = Annotated[datetime, BeforeValidator(_read_by(asked_since)), _TOLD]
Until = Annotated[datetime, BeforeValidator(_read_by(asked_until)), _TOLD]

#: A moment with its zone, so that there is no guessing about history.
MomentAsked = Annotated[
    datetime,
    BeforeValidator(_read_by(parse_moment)),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-20T14:00Z"]}),
]

Limit = Annotated[int, Field(ge=1, le=pages.MOST, description=f"How many at most, 1 to {pages.MOST}.")]
Cursor = Annotated[
    str,
    Field(
        max_length=600,
        pattern=r"^[A-Za-z0-9_-]*$",
        description="Which page: the `next` of the page before or the `previous` of the page after, as it is; left "
        "out, the first. Another list's is refused.",
    ),
]
Text = Annotated[str, Field(max_length=200)]
Name = Annotated[str, Field(max_length=255)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
VERBS = [*PHASE_VERBS, *ROLLOUT_VERBS]
#: What is done to a checklist item; another is a wrong address, too.
ItemVerb = Annotated[str, Field(max_length=255), WithJsonSchema({"type": "string", "enum": list(items.VERBS)})]
WaiverVerb = Annotated[str, Field(max_length=255), WithJsonSchema({"type": "string", "enum": list(WAIVER_VERBS)})]
DriftAnswer = Annotated[str, Field(max_length=255), WithJsonSchema({"type": "string", "enum": [*Answer]})]
#: A transition. One that there is not is a wrong address (404), so the list is told and not checked here.
Verb = Annotated[str, Field(max_length=255), WithJsonSchema({"type": "string", "enum": VERBS})]


def _writable(text: str) -> str:
    """Text that the database can hold: no NUL, no half of a surrogate pair."""
    if "\x00" in text or any("\ud800" <= one <= "\udfff" for one in text):
        raise ValueError("it holds a character that no text has: take it out")
    return text


def _step(value: object) -> Decimal:
    if isinstance(value, str):
        raise ValueError("write a number, without quotes")
    return as_step(value)


Percentage = Annotated[
    Decimal,
    BeforeValidator(_step),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 100}),
]


class AskedInAddress(Schema):
    """What stands in an address. A name that it does not know is refused with those that it does: a filter or a dry run
    that was meant and is left out without a word does something else than was asked."""

    @model_validator(mode="before")
    @classmethod
    def _knows_all(cls, values: Any, info: ValidationInfo) -> Any:
        names = [field.alias or name for name, field in cls.model_fields.items()]
        if info.context is not None and (
            unknown := [name for name in info.context["request"].GET if name not in names]
        ):
            known = ", ".join(names)
            faults = [
                error("query", name, f"There is no parameter {shorten(name)}. There are: {known}.") for name in unknown
            ]
            raise Problem(422, " ".join(fault["message"] for fault in faults), errors=faults, kind="invalid")
        return values


class PageAsked(AskedInAddress):
    limit: Limit = 50
    cursor: Cursor = ""

    @property
    def query(self) -> dict[str, str]:
        """As the filters are asked, whatever the door."""
        asked = self.model_dump(exclude={"limit"}, exclude_none=True)
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asked.items()}


def _asked(filters: type[Asked]) -> Any:
    """A page of a list, narrowed by what these filters take."""
    narrowing = {name: each for name, each in filters.base_filters.items() if each.narrows}
    fields: dict[str, Any] = {
        name: (_kind(each), Field(None, description=each.extra["help_text"])) for name, each in narrowing.items()
    }
    return create_model(filters.__name__, __base__=PageAsked, **fields)


def _kind(one: Filter) -> Any:
    match one:
        case Moment():
            return (Until if one.lookup_expr == "lt" else Since) | None
        case OneOf() if one.fixed:
            return Annotated[Text, Field(min_length=1), WithJsonSchema({"type": "string", "enum": one.fixed})] | None
    return Text | None


Included = Annotated[Literal["blockers"], WithJsonSchema({"type": "string", "enum": ["blockers"]})]


class RolloutsAsked(_asked(RolloutFilter)):  # type: ignore[misc]
    include: Included | None = Field(None, description="What costs more: what stands in each phase's way.")
    as_of: MomentAsked | None = Field(
        None, description="All rollouts as they were then, 20 at a time, out of their history; filters are of now."
    )


class FlagsAsked(_asked(FlagFilter)):  # type: ignore[misc]
    pass


class EventsAsked(_asked(HistoryFilter)):  # type: ignore[misc]
    pass


class WaiversAsked(_asked(WaiverFilter)):  # type: ignore[misc]
    pass


class PeopleAsked(_asked(PeopleFilter)):  # type: ignore[misc]
    pass


class DriftAsked(_asked(DriftFilter)):  # type: ignore[misc]
    pass


class RolloutAsked(AskedInAddress):
    as_of: MomentAsked | None = Field(
        None, description="As it was then, out of its history; the answer has `then` with all that the page had."
    )
    since: MomentAsked | None = Field(
        None, description="Besides, what has changed since then: `changed`, up to `as_of` or now."
    )


class PeriodAsked(AskedInAddress):
    from_: Since = Field(alias="from", description="A day or a time; without zone UTC.")
    to: Until = Field(description="A time, or a day, which is then included.")


class WhichFlag(AskedInAddress):
    instance: Name = Field("", description="Short name of the GitLab instance, where several have the flag.")
    project: Name = Field("", description="Path of the project, for a project's flag.")
    environment: Name = Field("", description="Environment of a project's flag, where it has several.")


class ReadingsAsked(WhichFlag, PageAsked):
    pass


class InclusionAsked(WhichFlag):
    actor: str = Field(
        max_length=who_is_in.LONGEST,
        description="As GitLab names it, a type and a number: User:42, or 42. A name from a plan (user:alice) is "
        "looked up. For a project's flag the id as the application passes it.",
    )


class PlanAsked(AskedInAddress):
    dry_run: bool = Field(False, description="Say what would change, change nothing.")


class Written(BaseModel):
    """A body: no key too many, no type bent."""

    model_config = ConfigDict(strict=True, extra="forbid")


Hour = Annotated[int, Field(ge=0, le=23, description="Of the person's zone.")]


#: From JSON a kind comes as text.
KindName = Annotated[NoticeKind, BeforeValidator(lambda name: NoticeKind(name) if name in tuple(NoticeKind) else name)]


class WishesAsked(Written):
    """How you want to be told; what is left out stays as it is. Both quiet hours as null: no quiet hours."""

    by_mail: dict[KindName, Literal["now", "digest", "off"]] = Field({}, description="By kind.")
    by_bell: dict[KindName, Literal["now", "off"]] = Field({}, description="By kind.")
    zone: Annotated[str, Field(max_length=60), AfterValidator(_writable)] | None = None
    language: Annotated[str, Field(max_length=10), AfterValidator(_writable)] | None = None
    digest_hour: Hour | None = None
    quiet_from: Hour | None = None
    quiet_until: Hour | None = None


class FollowAsked(Written):
    """``follow``: told as its owners are; ``mute``: of nothing; ``usual``: of what concerns you anyway."""

    how: Literal["follow", "mute", "usual"]


Figure = Annotated[int | float, Field(ge=-(10**15), le=10**15)]


class MeasuredAsked(Written):
    """A value of a guard metric, the baseline's beside it, and where it was read: a link or a note. ``at``: when it was
    measured, left out now. The same again changes nothing; a moment has one value."""

    value: Figure
    baseline: Figure | None = None
    at: MomentAsked | None = None
    evidence: Annotated[str, Field(max_length=500), AfterValidator(_writable)] = ""


class AwayAsked(Written):
    """``since`` and ``until`` are days (2026-12-24, of UTC, both included) or times; ``instead`` is a user name."""

    since: Annotated[str, Field(max_length=60), AfterValidator(_writable), _TOLD]
    until: Annotated[str, Field(max_length=60), AfterValidator(_writable), _TOLD]
    instead: Annotated[str, Field(max_length=150), AfterValidator(_writable)]


class ItemAsked(Written):
    """``confirm`` takes ``evidence``, a link or a note, of an announcement its ``channel``, of a criterion the
    ``answer`` ``yes`` or ``no``; ``unconfirm`` a ``reason``. ``phase`` names whose item it is, where several phases
    have one of this key. A decision takes its ``owner``, who sees to it (else: you), and a ``link``; a comparison how
    ``latency`` and ``correctness`` do beside the baseline and the ``verdict`` (better, alike or worse), ``numbers`` as
    ``p50 ms = 655 / 637``, the baseline's behind the stroke, and a ``link``."""

    evidence: Annotated[str, Field(max_length=10_000), AfterValidator(_writable)] = ""
    channel: Annotated[str, Field(max_length=200), AfterValidator(_writable)] = ""
    answer: Literal["", "yes", "no"] = ""
    owner: Annotated[str, Field(max_length=150), AfterValidator(_writable)] = ""
    link: Annotated[str, Field(max_length=500), AfterValidator(_writable)] = ""
    latency: Literal["", "better", "alike", "worse"] = ""
    correctness: Literal["", "better", "alike", "worse"] = ""
    verdict: Literal["", "better", "alike", "worse"] = ""
    numbers: Annotated[
        list[Annotated[str, Field(max_length=200), AfterValidator(_writable)]], Field(max_length=20)
    ] = []
    reason: Annotated[str, Field(max_length=5_000), AfterValidator(_writable)] = ""
    phase: Annotated[str, Field(max_length=50), AfterValidator(_writable)] = ""


class TransitionAsked(Written):
    """All optional, but ``looked_at`` when you approve or reject: the digest of the request that you decide about, as
    ``GET /approvals`` tells it. ``request`` is its number, ``seen`` the phase's version that you looked at: if somebody
    was faster, you are told. ``to`` names a later step than the next by its percentage.
    An ``override`` takes ``confirm``: the rollout's slug again."""

    reason: Annotated[str, Field(max_length=5_000), AfterValidator(_writable)] = ""
    to: Percentage | None = None
    override: bool = False
    confirm: Annotated[str, Field(max_length=100)] = ""
    looked_at: Annotated[str, Field(max_length=64)] = ""
    seen: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    request: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class WaiverWritten(Written):
    """What to go on without: ``phase`` alone is skipped, ``item`` is a checklist item of it, or of the whole rollout.
    ``ends`` is a day, which is included, or a time; without zone UTC."""

    phase: Annotated[str, Field(max_length=50), AfterValidator(_writable)] = ""
    item: Annotated[str, Field(max_length=50), AfterValidator(_writable)] = ""
    reason: Annotated[str, Field(max_length=5_000), AfterValidator(_writable)] = ""
    ends: Annotated[str, Field(max_length=60), AfterValidator(_writable)] = ""


class DriftAnswerWritten(Written):
    """``reason`` says why. ``ends``, until when it is accepted, is a day, which is included, or a time; without zone
    UTC."""

    reason: Annotated[str, Field(max_length=5_000), AfterValidator(_writable)] = ""
    ends: Annotated[str, Field(max_length=60), AfterValidator(_writable)] = ""


class WaiverDecided(Written):
    """``refuse`` and ``end`` take a ``note``: why."""

    note: Annotated[str, Field(max_length=5_000), AfterValidator(_writable)] = ""


class PlanWritten(Written):
    document: str = Field(min_length=1, description="The plan as YAML.")
