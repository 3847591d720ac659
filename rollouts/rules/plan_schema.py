"""The plan document as a person writes it: keys, types and names. What it means together is judged in ``plan``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from . import names
from .schema import Written, checked, filled, text
from .template import Actors, Addresses, Duration, Groups, Method, People, Slug, Steps

#: What a database holds in one integer.
MOST_REQUESTS = 2_000_000_000
Requests = Annotated[int, Field(ge=0, le=MOST_REQUESTS)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _full_or_slug(value: Any) -> str:
    return "slug" if isinstance(value, str) else "full"


Sentences = Annotated[list[text(2000)], BeforeValidator(_as_list), Field(max_length=50)]  # type: ignore[misc]


class QuotaWritten(Written):
    requests_per_minute: Requests | None = None


class ModelWritten(Written):
    provider: text(100)  # type: ignore[valid-type]
    id: text(200)  # type: ignore[valid-type]
    host: text(100) = ""  # type: ignore[valid-type]
    capability: Slug
    name: text(200) = ""  # type: ignore[valid-type]
    quota: QuotaWritten = QuotaWritten()


class FlagWritten(Written):
    name: text(300)  # type: ignore[valid-type]
    project: Annotated[str, checked(names.project_path)] | None = None
    environment: text(255) | None = None  # type: ignore[valid-type]


class WorkloadWritten(Written):
    peak_requests_per_minute: Requests | None = None


class PhasePlanWritten(Written):
    actors: Actors | None = None
    groups: Groups | None = None
    method: Method | None = None
    steps: Steps | None = None
    soak: Duration | None = None
    final_soak: Duration | None = None
    issues: Addresses = {}


class CriteriaWritten(Written):
    success: Sentences = []
    continue_: Annotated[Sentences, Field(alias="continue")] = []
    pause: Sentences = []
    roll_back: Sentences = []


class PlanWritten(Written):
    rollout: Slug
    title: text(200)  # type: ignore[valid-type]
    model: Annotated[Annotated[Slug, Tag("slug")] | Annotated[ModelWritten, Tag("full")], Discriminator(_full_or_slug)]
    baseline: Slug | None = None
    flag: FlagWritten
    template: str = "code_suggestions"
    workload: WorkloadWritten = WorkloadWritten()
    owners: People = []
    issues: Addresses = {}
    phases: Annotated[dict[str, PhasePlanWritten], filled] = {}
    criteria: CriteriaWritten = CriteriaWritten()
    timeline: Annotated[dict[str, text(500)], filled] = {}  # type: ignore[valid-type]
    mitigation: text(10_000) = ""  # type: ignore[valid-type]
