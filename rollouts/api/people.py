"""People: what everybody may know of somebody."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Router

from ..services import people
from . import answers, questions
from .contract import LOOK

router = Router(tags=["people"])


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
        "owns": [row["rollout__slug"] for row in found.owned.rows],
        "waiting": [row["rollout__slug"] for row in found.waiting.rows],
    }
