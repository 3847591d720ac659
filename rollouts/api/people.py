"""People: what everybody may know of somebody."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest
from ninja import Query, Router

from ..models import Absence
from ..services import absences, people
from ..services.lists.people import BY_NAME, Listed, PeopleFilter, listed, owned_by
from . import answers, bodies, pages, questions
from .auth import actor
from .contract import AWAY_BODY, LIST, LOOK, TRANSITION

router = Router(tags=["people"])


@router.get("/people", response={200: answers.People, **LIST}, summary="Everybody")
def everybody(request: HttpRequest, asked: Query[questions.PeopleAsked]) -> dict[str, Any]:
    """Accounts by name; who is switched off only where it is asked for."""
    owned = owned_by()
    found = pages.read(PeopleFilter(asked.query), BY_NAME, asked.limit)
    return pages.holding([_line(one) for one in listed(found.rows, owned)], found)


def _line(one: Listed) -> dict[str, Any]:
    return {
        "name": one.name,
        "full_name": one.full_name,
        "gitlab_user": one.handle,
        "roles": list(one.roles),
        "is_active": one.is_active,
        "owns": one.owns,
        "away_until": one.away.ends_at if one.away else None,
        "instead": one.instead,
    }


@router.get("/people/{name}", response={200: answers.PersonTold, **LOOK}, summary="Somebody")
def person(request: HttpRequest, name: questions.Name) -> dict[str, Any]:
    """Roles, what they own and what waits for them: open rollouts, those that need eyes most first."""
    found = people.find(name)
    if found is None:
        raise Http404(f"Nobody is called {name[:100]}.")
    return {
        "name": found.name,
        "full_name": found.full_name,
        "has_account": found.has_account,
        "is_active": found.is_active,
        "roles": list(found.roles),
        "at_provider": found.at_provider,
        "gitlab_user": found.handle,
        "same_human": list(found.same_human),
        "away": [absences.as_json(one) for one in found.away],
        "stands_for": list(found.stands_for),
        "owns": [row["rollout__slug"] for row in found.owned.rows],
        "waiting": [row["rollout__slug"] for row in found.waiting.rows],
    }


@router.post(
    "/people/{name}/absences", response={200: answers.AwayTold, **TRANSITION}, openapi_extra=AWAY_BODY,
    summary="Say when somebody is away",
)  # fmt: skip
def be_away(request: HttpRequest, name: questions.Name) -> dict[str, Any]:
    """Days are of UTC, both included; times are exact. Who stands in has the same role, and gets none by it."""
    asked = bodies.as_json(request, questions.AwayAsked)
    absence = absences.add(
        _account(name), since=asked.since, until=asked.until, instead=asked.instead, by=actor(request)
    )
    return absences.as_json(absence)


@router.post(
    "/people/{name}/absences/{number}/end", response={200: answers.AwayTold, **TRANSITION}, summary="Take it back"
)
def be_back(request: HttpRequest, name: questions.Name, number: questions.Number) -> dict[str, Any]:
    person = _account(name)
    absence = Absence.objects.select_related("person", "instead").filter(pk=number, person=person).first()
    if absence is None:
        raise Http404(f"{person.get_username()} has no absence {number}.")
    absences.end(absence, by=actor(request))
    return absences.as_json(absence)


def _account(name: str) -> User:
    person = User.objects.filter(username=name).first()
    if person is None:
        raise Http404(f"Nobody is called {name[:100]}.")
    return person
