"""The plan document as a person writes it: keys, types and names. What it means together is judged in ``plan``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from . import gitlab_text, names
from .datetimes import parse_moment
from .durations import short
from .metrics import Bound
from .phrases import invalid, say
from .schema import Written, checked, filled, text, words
from .template import Method
from .template_schema import Actors, Addresses, Duration, Groups, People, Percentage, Slug, Steps

#: What a database holds in one integer.
MOST_REQUESTS = 2_000_000_000
MOST_FIGURE = 10**15
ModelSlug = Annotated[str, checked(names.model_slug)]
Requests = Annotated[int, Field(ge=0, le=MOST_REQUESTS)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _full_or_slug(value: Any) -> str:
    return "slug" if isinstance(value, str) else "full"


def _moment(value: Any) -> datetime:
    try:
        return parse_moment(value)
    except ValueError as wrong:
        raise words(wrong.args[0]) from None


def _figure(value: Any) -> int | float:
    """A number that a metric may have; no larger than what JSON carries to the digit."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MOST_FIGURE:
        raise words(say("write a number such as 1200 or 13.9, without quotes and unit."))
    return value


Moment = Annotated[datetime, BeforeValidator(_moment)]
Figure = Annotated[int | float, BeforeValidator(_figure)]
#: More than so many rollouts nobody keeps in an order.
MOST_NAMED = 20
Others = Annotated[list[Slug], BeforeValidator(_as_list), Field(max_length=MOST_NAMED)]
Sentences = Annotated[list[Annotated[str, text(2000)]], BeforeValidator(_as_list), Field(max_length=50)]


class QuotaWritten(Written):
    requests_per_minute: Annotated[int, Field(ge=1, le=MOST_REQUESTS)] | None = None
    lead_time: Duration | None = None


class ModelWritten(Written):
    provider: Annotated[str, text(100)]
    id: Annotated[str, text(200)]
    host: Annotated[str, text(100)] = ""
    capability: Slug = ""
    name: Annotated[str, text(200)] = ""
    quota: QuotaWritten = QuotaWritten()


class FlagWritten(Written):
    name: Annotated[str, text(300)]
    project: Annotated[str, checked(names.project_path)] | None = None
    environment: Annotated[str, text(255)] | None = None


class WorkloadWritten(Written):
    peak_requests_per_minute: Requests | None = None


class StepWritten(Written):
    step: Percentage
    at: Moment | None = None
    soak: Duration | None = None
    auto: bool | None = None


class PhasePlanWritten(Written):
    actors: Actors | None = None
    groups: Groups | None = None
    method: Method | None = None
    steps: Steps | None = None
    soak: Duration | None = None
    final_soak: Duration | None = None
    auto: bool | None = None
    schedule: Annotated[list[StepWritten], Field(max_length=50)] | None = None
    criteria: Literal["each_step", "at_end"] | None = None
    issues: Addresses = {}


class CriteriaWritten(Written):
    success: Sentences = []
    continue_: Annotated[Sentences, Field(alias="continue")] = []
    pause: Sentences = []
    roll_back: Sentences = []


def _while(shortest: timedelta, longest: timedelta) -> AfterValidator:
    def within(span: timedelta) -> timedelta:
        if not shortest <= span <= longest:
            raise invalid("write {least} at least, and {most} at most.", least=short(shortest), most=short(longest))
        return span

    return checked(within)


#: What is looked at again and again stays so short that one look is cheap.
Span = Annotated[Duration, _while(timedelta(minutes=1), timedelta(days=1))]
Percent = Annotated[int | float, BeforeValidator(_figure), Field(ge=0, le=1000)]
Query = Annotated[str, text(2000)]


class GuardMetricWritten(Written):
    unit: Annotated[str, text(20)] = ""
    at_most: Figure | None = None
    at_least: Figure | None = None
    above_baseline: Percent | None = None
    below_baseline: Percent | None = None
    query: Query = ""
    baseline_query: Query = ""
    window: Span | None = None
    samples: Annotated[int, Field(ge=1, le=1440)] = 1
    hurt_for: Span | None = None
    then: Literal["hold", "pause", "roll_back"] = "hold"

    def bound(self, name: str) -> Bound:
        return Bound(
            name,
            window=short(self.window) if self.window else "",
            hurt_for=short(self.hurt_for) if self.hurt_for else "",
            **self.model_dump(exclude={"window", "hurt_for"}),
        )

    @model_validator(mode="after")
    def _acts_on_purpose(self) -> Self:
        beside = self.above_baseline is not None or self.below_baseline is not None
        if beside and self.query and not self.baseline_query:
            raise words(say("it is compared with the baseline, which nothing asks for. Add `baseline_query: …`."))
        if self.baseline_query and not self.query:
            raise words(say("`baseline_query` asks for the baseline alone. Add `query: …` for the new model."))
        if self.samples > 1 and self.window is None:
            raise words(say("`samples: {n}` of which time? Add `window: 15m`.", n=self.samples))
        if self.then != "hold" and self.hurt_for is None:
            raise words(say("`then: {then}` after which time? Add `hurt_for: 10m`: a moment is no reason.",
                            then=self.then))  # fmt: skip
        if self.then == "hold" and self.hurt_for is not None:
            raise words(say("`hurt_for` means nothing where the ramp only waits. Take it out, or add `then: pause`."))
        return self

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        bounds = (self.at_most, self.at_least, self.above_baseline, self.below_baseline)
        if all(bound is None for bound in bounds):
            message = say("say what is allowed: `at_most: 1200`, `at_least: 14`, or beside the baseline, "
                          "`above_baseline: 5` in per cent.")  # fmt: skip
            raise words(message)
        if self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            message = say("at_least {least} is more than at_most {most}.", least=self.at_least, most=self.at_most)
            raise words(message)
        return self


Model = Annotated[
    Annotated[ModelSlug, Tag("slug")] | Annotated[ModelWritten, Tag("full")], Discriminator(_full_or_slug)
]


class PlanWritten(Written):
    rollout: Slug
    title: Annotated[str, text(200), checked(gitlab_text.one_line)]
    model: Model
    baseline: ModelSlug | None = None
    flag: FlagWritten
    template: str = "code_suggestions"
    workload: WorkloadWritten = WorkloadWritten()
    owners: People = []
    after: Others = []
    not_with: Others = []
    issues: Addresses = {}
    phases: Annotated[dict[str, PhasePlanWritten], filled] = {}
    criteria: CriteriaWritten = CriteriaWritten()
    guard_metrics: Annotated[dict[Slug, GuardMetricWritten], filled, Field(max_length=20)] = {}
    timeline: Annotated[dict[str, Annotated[str, text(500)]], filled] = {}
    mitigation: Annotated[str, text(10_000)] = ""
