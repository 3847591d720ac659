"""A rollout as it was, and what has changed since: for the API, and for the command that says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.http import Http404

from ..audit.actor import Actor
from ..models import ApprovalRequest, Rollout, clock
from ..rules import health
from ..rules.facts import RolloutFacts
from ..rules.next_action import next_action
from ..rules.phrases import joined, say
from ..services import as_of, difference, items, plans, portfolio_as_of
from ..services.as_of import NotThere, Past
from . import pages
from .problems import Problem, error

Tell = Callable[[Rollout, RolloutFacts, Actor], dict[str, Any]]


def answer(tell: Tell, slug: str, by: Actor, moment: datetime | None, since: datetime | None) -> dict[str, Any]:
    """``answers.RolloutTold`` of then, by ``tell``. Raises ``Http404`` and ``Problem`` (422)."""
    now = clock.now()
    try:
        changed = since and difference.between(slug, since, moment or now, sees_confidential=by.sees_confidential)
        past = changed.until if changed else as_of.of(slug, moment or now)
    except Rollout.DoesNotExist:
        raise Http404(f"There is no rollout {slug[:100]}.") from None
    except NotThere as wrong:
        name = "since" if moment is None else "as_of"
        raise Problem(422, str(wrong), errors=[error("query", name, str(wrong))], kind="invalid") from None
    with clock.told_at(past.moment):
        told = tell(past.rollout, past.facts, by)
        if moment is not None:
            told["then"] = _then(past, by)
    if changed:
        told["changed"] = {
            "since": changed.since.moment,
            "until": past.moment,
            "events": changed.events.count(),
            "summary": [{"what": what, "before": was, "after": became} for what, was, became in changed.summary],
            "fields": [
                {
                    "type": one.kind,
                    "id": one.key,
                    "name": one.name,
                    "field": one.field,
                    "before": one.before,
                    "after": one.after,
                }
                for one in changed.changes
            ],
        }
    return told


def portfolio(tell: Tell, by: Actor, moment: datetime, limit: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    """``answers.Rollouts`` of then. Raises ``Problem`` (422)."""
    cursor = str(asked.get("cursor") or "0")
    of_now = [name for name, value in asked.items() if value and name not in ("as_of", "limit", "cursor")]
    wrong = [error("query", name, say("{name} asks how things are now: leave it out.", name=name)) for name in of_now]
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        wrong.append(error("query", "cursor", pages.WRONG))
    if wrong:
        raise Problem(422, " ".join(one["message"] for one in wrong), errors=wrong, kind="invalid")
    try:
        page = portfolio_as_of.page(moment, after=int(cursor), most=min(limit, portfolio_as_of.MOST))
    except NotThere as words:
        raise Problem(422, str(words), errors=[error("query", "as_of", str(words))], kind="invalid") from None
    with clock.told_at(moment):
        items = [tell(one.rollout, one.facts, by) for one in page.rollouts]
    return {"items": items, "next": str(page.next) if page.next else None, "previous": None}


def _then(past: Past, by: Actor) -> dict[str, Any]:
    facts, coming = past.facts, next_action(past.facts)
    return {
        "at": past.moment,
        "events": past.events,
        "newest_event": past.newest,
        "words": health.judge(facts).words,
        "coming": joined([coming.words, coming.detail], ": ") if coming.detail else coming.words,
        "checklist": [
            {
                "phase": item.phase or None,
                **{name: getattr(item, name) for name in ("key", "title", "required", "words")},
                **{name: getattr(item, name) for name in ("confirmed_by", "confirmed_at")},
                "done": item.ok,
            }
            for item in items.of(past.rollout, facts, by)
        ],
        "requests": [_request(request, past) for request in past.requests],
        "could_approve": list(past.approvers),
        "locks": [{"title": lock.title, "until": lock.until} for lock in facts.locks],
        "plan": plans.export(past.rollout),
        "untold": list(past.untold),
    }


def _request(request: ApprovalRequest, past: Past) -> dict[str, Any]:
    """``counted`` is judged as it was then where it stood; of what was over, by what it was asked for."""
    standing = next((p.request for p in past.facts.phases if p.request and p.request.pk == request.pk), None)
    counting = {(one.by, one.at) for one in standing.counting()} if standing else None

    def counted(approver: str, at: datetime, digest: str) -> bool:
        if counting is not None:
            return (approver, at) in counting
        return bool(request.carried.get(digest, digest) == request.digest)

    return {
        "phase": request.phase.name,
        "attempt": request.phase.attempt,
        "what": str(request),
        "state": request.state,
        "requested_by": request.requested_by,
        "requested_at": request.requested_at,
        "needed": standing.policy.needed if standing else None,
        "approvals": [
            {
                "by": one.approver,
                "at": one.at,
                "counted": counted(one.approver, one.at, one.digest),
                "source": one.source,
                "way": one.way,
            }
            for one in request.given
        ],
    }
