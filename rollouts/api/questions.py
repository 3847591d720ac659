"""The shapes of questions, as the OpenAPI document tells them: what stands in addresses and bodies."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from ninja import Schema
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from ..audit.source import SOURCES
from ..rules.health import Health
from ..rules.machine import PHASE_VERBS, ROLLOUT_VERBS, RolloutState
from ..rules.percentages import as_step
from ..services import choices, items, who_is_in
from . import datetimes, pages
from .problems import Problem, error

Limit = Annotated[int, Field(ge=1, le=pages.MOST, description=f"How many at most, 1 to {pages.MOST}.")]
Cursor = Annotated[
    str,
    Field(
        max_length=600,
        pattern=r"^[A-Za-z0-9_-]*$",
        description="Where the page begins: the `next` of the page before, as it is; left out, the first page. Another "
        "list's is refused.",
    ),
]
EventSource = StrEnum("EventSource", {name.upper(): name for name in SOURCES})  # type: ignore[misc]
Text = Annotated[str, Field(max_length=200)]
Name = Annotated[str, Field(max_length=255)]
VERBS = [*PHASE_VERBS, *ROLLOUT_VERBS]
#: What is done to a checklist item; another is a wrong address, too.
ItemVerb = Annotated[str, Field(max_length=255), WithJsonSchema({"type": "string", "enum": list(items.VERBS)})]
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


def refuse_unless_known(name: str, written: str, known: Sequence[str]) -> None:
    """Of what is asked for, where the data says what there is. Raises ``Problem`` (422) with the choices."""
    if written and written not in known:
        words = str(choices.refusal(name, written, known))
        raise Problem(422, words, errors=[error("query", name, words)], kind="invalid")


class PageAsked(Schema):
    limit: Limit = 50
    cursor: Cursor = ""


class RolloutsAsked(PageAsked):
    state: RolloutState | None = Field(None, description="The rollout's state.")
    phase: Text = Field("", description="The phase that it stands in: the first neither completed nor skipped.")
    provider: Text = Field("", description="The AI model's provider, as the plan writes it.")
    health: Health | None = Field(None, description="The rollout's health.")
    q: Text = Field("", description="In title, slug, flag or AI model.")


class RolloutAsked(Schema):
    as_of: datetimes.Since | None = Field(
        None, description="As it was then. Not told yet: `/audit?rollout=` says what has happened since."
    )


class FlagsAsked(PageAsked):
    q: Text = Field("", description="In the flag's name.")


class WhichFlag(Schema):
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


class EventsAsked(PageAsked):
    rollout: Text = Field("", description="The rollout's slug.")
    actor: Text = Field("", description="Who did it: the user name.")
    verb: Text = Field("", description="A verb (phase.start) or its first part (phase).")
    source: EventSource | None = Field(None, description="Where it was done.")
    since: datetimes.Since | None = Field(None, description="A day or a time; without zone UTC.")
    until: datetimes.Until | None = Field(None, description="A time, or a day, which is then included.")
    q: Text = Field("", description="In names, people and reasons.")


class PlanAsked(Schema):
    dry_run: bool = Field(False, description="Say what would change, change nothing.")


class Written(BaseModel):
    """A body: no key too many, no type bent."""

    model_config = ConfigDict(strict=True, extra="forbid")


class MeasuredAsked(Written):
    """The newest value of a guard metric, and where it was read: a link or a note."""

    value: Annotated[int | float, Field(ge=-(10**15), le=10**15)]
    evidence: Annotated[str, Field(max_length=500), AfterValidator(_writable)] = ""


class ItemAsked(Written):
    """``confirm`` takes ``evidence``, a link or a note, and of an announcement its ``channel``; ``unconfirm`` a
    ``reason``. ``phase`` names whose item it is, where several phases have one of this key."""

    evidence: Annotated[str, Field(max_length=10_000), AfterValidator(_writable)] = ""
    channel: Annotated[str, Field(max_length=200), AfterValidator(_writable)] = ""
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


class PlanWritten(Written):
    document: str = Field(min_length=1, description="The plan as YAML.")
