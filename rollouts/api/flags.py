"""Feature flags: what GitLab said of them, over time, and who is in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from django.urls import reverse
from ninja import Query, Router

from ..models import FeatureFlag, FlagReading
from ..models.keyset import Keyset
from ..rules.expected import Presence
from ..rules.percentages import plain_number
from ..services import who_is_in
from ..services.freshness import is_stale
from ..services.lists.asked import Asked
from ..services.lists.flags import BY_NAME, FlagFilter
from . import answers, pages, questions
from .contract import LIST, LOOK
from .problems import Problem, error

router = Router(tags=["flags"])
NEWEST_FIRST = Keyset("readings", {"-read_at": datetime, "-pk": int})
#: So many flags of one name are named where a name is not enough.
MOST_NAMED = 10


@router.get("/flags", response={200: answers.Flags, **LIST}, summary="All flags", exclude_unset=True)
def flags(request: HttpRequest, asked: Query[questions.FlagsAsked]) -> dict[str, Any]:
    """By name. `presence` says what GitLab knows of a flag; one that it does not list is never simply off."""
    return pages.page(FlagFilter(asked.query), BY_NAME, asked.limit, flag_answer)


@router.get("/flags/{name}", response={200: answers.FlagTold, **LOOK}, summary="One flag", exclude_unset=True)
def flag(request: HttpRequest, name: questions.Name, asked: Query[questions.WhichFlag]) -> dict[str, Any]:
    """Without `project` the flag of the instance is meant, or the only one of this name."""
    return flag_answer(_one(name, asked))


@router.get(
    "/flags/{name}/readings", response={200: answers.Readings, **LOOK}, summary="A flag over time", exclude_unset=True
)
def readings(request: HttpRequest, name: questions.Name, asked: Query[questions.ReadingsAsked]) -> dict[str, Any]:
    """What was read, newest first; a reading is kept when it differs from the one before."""
    readings = Asked(asked.query, _one(name, asked).readings.all())
    return pages.page(readings, NEWEST_FIRST, asked.limit, _reading_told)


@router.get("/flags/{name}/includes", response={200: answers.Inclusion, **LOOK}, summary="Is this actor in?")
def includes(request: HttpRequest, name: questions.Name, asked: Query[questions.InclusionAsked]) -> dict[str, Any]:
    """By GitLab's own rule, as the flag was last read; for a project's flag by that of Unleash's clients.

    A name from a plan (`user:alice`) is looked up; where GitLab's number of it is not known, that is 422."""
    flag = _one(name, asked)
    (judged,) = who_is_in.judge(flag, [asked.actor])
    known = judged.found
    if known is None:
        raise Problem(422, judged.wrong, errors=[error("query", "actor", judged.wrong)], kind="invalid")
    return {
        "actor": known.actor,
        "included": known.inside,
        "percentage_at_which_in": None if known.enters_at is None else plain_number(known.enters_at),
        "why": f"{judged.why} {_as_of(flag.as_listed.read_at)}".strip(),
        "is_stale": is_stale(flag.as_listed.read_at),
    }


def flag_answer(flag: FeatureFlag) -> dict[str, Any]:
    """A flag loaded with ``for_list`` as the API tells it (``answers.FlagTold``)."""
    latest = flag.as_listed
    return {
        "name": flag.name,
        "instance": flag.instance.name,
        "project": flag.project.path if flag.project else None,
        "environment": flag.environment or None,
        "type": flag.type,
        "group": flag.group,
        "milestone": flag.milestone,
        "default_enabled": flag.default_enabled,
        "presence": latest.presence,
        "exposure": latest.exposure.as_json() if latest.exposure is not None else None,
        "since": latest.since,
        "read_at": latest.read_at,
        "is_stale": is_stale(latest.read_at),
        "rollouts": sorted(rollout.slug for rollout in flag.rollouts.all()),
        "url": reverse("portal:flag", args=[flag.pk]),
    }


def _reading_told(reading: FlagReading) -> dict[str, Any]:
    is_known = reading.presence == Presence.SET
    return {
        "read_at": reading.read_at,
        "presence": reading.presence,
        "exposure": reading.exposure.as_json() if is_known else None,
        "source": reading.source,
        "entered_by": reading.entered_by,
        "evidence": reading.evidence,
    }


def _as_of(read_at: datetime | None) -> str:
    return f"(GitLab as of {read_at:%Y-%m-%d %H:%M:%S}Z.)" if read_at else ""


def _one(name: str, asked: questions.WhichFlag) -> FeatureFlag:
    """The flag that is meant. Raises ``Http404``, or ``Problem`` (422) where several are."""
    rows = FeatureFlag.objects.for_list().filter(name=name)
    if asked.instance:
        rows = rows.filter(instance__name=asked.instance)
    if asked.project:
        rows = rows.filter(project__path=asked.project)
    if asked.environment:
        rows = rows.filter(environment=asked.environment)
    flags = list(rows.order_by("project", "instance", "environment")[: MOST_NAMED + 1])
    if not flags:
        raise Http404(f"There is no such flag named {name[:100]}. GET /api/v1/flags lists those that are known.")
    of_instances = [flag for flag in flags if flag.project is None]
    meant = flags if asked.project or len(of_instances) != 1 else of_instances
    if len(meant) == 1:
        return meant[0]
    choices = "; ".join(f"{flag.instance}: {flag}" for flag in flags[:MOST_NAMED])
    message = f"Several flags are named {name}: say which by instance, project and environment. There are {choices}."
    raise Problem(422, message, errors=[error("query", "project", message)], kind="invalid")
