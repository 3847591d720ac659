"""The versions of a plan: which documents it was, whose change made each, and who approved while it stood."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..models import AuditEvent, Rollout, clock
from ..rules.as_of import Told
from ..rules.line_difference import DiffLine, diff
from ..rules.plan_merge import digest
from . import as_of, plans

#: What of a plan document each kind of object holds; a change of anything else leaves the document as it was.
PLANNED = {
    "Rollout": {"title", "ai_model_id", "baseline_id", "flag_id", "template_id", "peak_requests_per_minute", "owners",
                "criteria", "guard_metrics", "timeline", "mitigation"},
    "Phase": {"audience", "actors", "groups", "final_soak", "criteria_asked"},
    "RampStep": {"percentage", "soak", "planned_at", "auto"},
    "RolloutOrder": {"kind", "other_id"},
    "RolloutIssue": {"role", "phase_name", "issue_id"},
    "AIModel": {"slug", "provider", "provider_model_id", "host", "capability", "name", "quota_requests_per_minute",
                "quota_lead_time"},
    "FeatureFlag": {"name", "environment"},
}  # fmt: skip
#: So many versions are told, the newest.
MOST = 20


@dataclass(frozen=True, slots=True)
class Version:
    """``document`` stood from ``event`` on; ``difference`` to the version before it, none for the first.

    ``approvals`` are the events of those who approved something while it stood.
    """

    event: AuditEvent
    document: str
    difference: tuple[DiffLine, ...]
    approvals: tuple[AuditEvent, ...]
    is_first: bool

    @property
    def digest(self) -> str:
        return digest(self.document)

    def as_json(self) -> dict[str, Any]:
        """As the API and ``plan versions --json`` give it."""
        return {
            "digest": self.digest,
            "at": self.event.at.isoformat(),
            "by": self.event.actor,
            "verb": self.event.verb,
            "reason": self.event.reason,
            "is_first": self.is_first,
            "difference": [line.text for line in self.difference],
            "approvals": [
                {"by": one.actor, "at": one.at.isoformat(), "what": one.object_name, "event": one.pk}
                for one in self.approvals
            ],
            "document": self.document,
        }


@dataclass(frozen=True, slots=True)
class Versions:
    """The newest first. ``are_more``: there were earlier ones. ``untold`` says why there are none."""

    rows: tuple[Version, ...] = ()
    are_more: bool = False
    untold: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "versions": [one.as_json() for one in self.rows],
            "are_more": self.are_more,
            "untold": str(self.untold),
        }


def of(rollout: Rollout) -> Versions:
    """The number of queries does not grow with the versions."""
    try:
        looker = as_of.Looker(rollout.slug, clock.now(), only_plan=True)
    except as_of.NotThere as why:
        return Versions(untold=why.args[0])
    found, are_more = _newest(looker)
    events = AuditEvent.objects.in_bulk([event for event, _ in found])
    approved = _approvals(rollout.slug, [events[event].at for event, _ in found])
    rows = []
    for place, (event, document) in enumerate(found):
        if place == 0 and are_more:
            continue  # only the one that the first that is told differs from
        before = found[place - 1][1] if place else ""
        rows.append(Version(events[event], document, diff(before, document), tuple(approved[place]), not place))
    return Versions(tuple(reversed(rows)), are_more)


def _newest(looker: as_of.Looker) -> tuple[list[tuple[int, str]], bool]:
    """The last ``MOST`` different documents and the event that made each, oldest first, with one more before them where
    there are more.
    """
    found: list[tuple[int, str]] = []
    moments = sorted({told.at: told.event for told in _tellings(looker)}.items(), reverse=True)
    for moment, event in moments:
        plan = looker.plan_at(moment)
        if plan is None:
            continue
        document = plans.export(plan)
        if found and found[-1][1] == document:
            found[-1] = (event, document)  # it was so before: the earlier event made it
            continue
        if len(found) > MOST:
            break
        found.append((event, document))
    return found[::-1], len(found) > MOST


def _tellings(looker: as_of.Looker) -> list[Told]:
    """What events tell of objects that a plan document shows, in the order of the events of one moment."""
    told = [
        one
        for kind, fields in PLANNED.items()
        for key in looker.replay.keys(kind)
        for one in looker.replay.told(kind, key)
        if one.at <= looker.replay.until and (one.is_made or one.is_gone or fields & {*one.before, *one.after})
    ]
    return sorted(told, key=lambda one: one.event)


def _approvals(slug: str, begins: list[datetime]) -> list[list[AuditEvent]]:
    """Who approved something while each version stood, by when the versions begin."""
    approved: list[list[AuditEvent]] = [[] for _ in begins]
    if not begins:
        return approved
    events = AuditEvent.objects.of_rollout(slug).filter(verb="phase.approve", at__gte=begins[0])
    for event in events.order_by("at", "pk"):
        approved[bisect_right(begins, event.at) - 1].append(event)
    return approved
