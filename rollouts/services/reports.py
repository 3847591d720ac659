"""Answers for auditors about one rollout: who asked, who approved by what way, what was live when, what was passed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Prefetch

from ..audit import tombstones
from ..models import Approval, ApprovalRequest, AuditEvent, FlagReading, Phase, Rollout
from ..rules import digest, ways
from ..rules.drift_cases import CLASS_WORDS
from ..rules.expected import Presence
from ..rules.exposure import EVERYONE, NOBODY, Exposure
from ..rules.machine import PHASE_VERBS
from . import facts as facts_of
from . import schedules

#: So many readings of the flag are told, the newest; ``readings_all`` says how many there are.
READINGS = 500
MOVES = ("phase.start", "phase.advance", "phase.pause", "phase.resume", "phase.complete", "phase.roll_back")


@dataclass(frozen=True, slots=True)
class RolloutReport:
    """Rows are plain values, with times as ``datetime`` and lengths as ``timedelta``: a page and JSON tell them.

    Of events from before ``gone_before``, ``moves`` and ``drift`` tell nothing: they are past their age.
    """

    rollout: Rollout
    made_at: datetime
    until: datetime
    requests: tuple[dict[str, Any], ...]
    moves: tuple[dict[str, Any], ...]
    readings: tuple[dict[str, Any], ...]
    readings_all: int
    overrides: tuple[dict[str, Any], ...]
    waivers: tuple[dict[str, Any], ...]
    locks: tuple[dict[str, Any], ...]
    drift: tuple[dict[str, Any], ...]
    evidence: tuple[dict[str, Any], ...]
    gone_before: datetime | None

    def as_json(self) -> dict[str, Any]:
        rollout = self.rollout
        parts = ("requests", "moves", "readings", "readings_all", "overrides", "waivers", "locks", "evidence")
        return {
            "slug": rollout.slug,
            "title": rollout.title,
            "state": rollout.state,
            "model": rollout.ai_model.slug,
            "flag": rollout.flag.name,
            "planned_by": rollout.created_by,
            "authors": list(rollout.authors),
            "owners": list(rollout.owners),
            "made_at": rollout.created_at,
            "until": self.until,
            "gone_before": self.gone_before,
            **{name: getattr(self, name) for name in parts},
            "drift": [{**one, "seconds": one["length"].total_seconds()} for one in self.drift],
        }


def of_rollout(slug: str, now: datetime) -> RolloutReport:
    """Raises ``Rollout.DoesNotExist``. The number of queries does not grow with what there is to tell."""
    rollout: Rollout = Rollout.objects.whole().get(slug=slug)
    until = rollout.closed_at or rollout.abandoned_at or now
    titles = {phase.pk: str(phase) for phase in rollout.phases.all()}
    readings = FlagReading.objects.filter(flag=rollout.flag_id, read_at__lte=until).order_by("-read_at", "-pk")
    held = schedules.on(schedules.locks_between(rollout.created_at, until), rollout.flag.instance_id)
    return RolloutReport(
        rollout=rollout,
        made_at=rollout.created_at,
        until=until,
        requests=tuple(_requests(rollout)),
        moves=tuple(_moves(rollout)),
        readings=tuple(_reading(one) for one in readings[:READINGS])[::-1],
        readings_all=readings.count(),
        overrides=tuple(
            {
                "verb": one.verb,
                "what": PHASE_VERBS[one.verb].label,
                "phase": phase.title,
                "by": one.by,
                "at": one.at,
                "reason": one.reason,
                "passed": list(one.blockers),
                "reviewed_by": one.reviewed_by,
                "reviewed_at": one.reviewed_at,
                "verdict": one.verdict,
            }
            for phase in rollout.phases.all()
            for one in phase.overrides.all()
        ),
        waivers=tuple(_waivers(rollout)),
        locks=tuple({"title": one.title, "from": one.starts_at, "until": one.ends_at} for one in held),
        drift=tuple(_drift(rollout, until)),
        evidence=tuple(
            {
                "item": row.title,
                "phase": titles.get(row.phase_id or 0, ""),
                "confirmed_by": row.confirmed_by,
                "confirmed_at": row.confirmed_at,
                "evidence": row.evidence,
            }
            for row in rollout.items.all()
            if row.confirmed_at
        ),
        gone_before=tombstones.gone_before(f"rollout:{slug}"),
    )


def _requests(rollout: Rollout) -> Iterator[dict[str, Any]]:
    rows = (
        ApprovalRequest.objects.filter(phase__rollout=rollout)
        .select_related("phase")
        .prefetch_related(Prefetch("approvals", Approval.objects.order_by("at", "pk")))
        .order_by("requested_at", "pk")
    )
    content_before: dict[str, Any] | None = None
    for request in rows:
        changed = None if content_before is None else digest.changes(content_before, request.content)
        content_before = request.content
        yield {
            "what": str(request),
            "phase": request.phase.name,
            "state": request.state,
            "state_words": request.get_state_display(),
            "requested_by": request.requested_by,
            "requested_at": request.requested_at,
            "way": ways.in_words(request.source, request.way),
            "digest": request.digest,
            "saw": digest.sentences(request.content),
            "changed": changed,
            "approvals": [
                {
                    "by": one.approver,
                    "at": one.at,
                    "way": ways.in_words(one.source, one.way),
                    "for_this": request.carried.get(one.digest, one.digest) == request.digest,
                    "digest": one.digest,
                    "note": one.note,
                }
                for one in request.approvals.all()
            ],
            "closed_by": request.closed_by,
            "closed_at": request.closed_at,
            "reason": request.reason,
        }


def _moves(rollout: Rollout) -> Iterator[dict[str, Any]]:
    """What people and ramps let in and took back, with who would see it by the plan."""
    phases = {str(phase.pk): phase for phase in rollout.phases.all()}
    events = AuditEvent.objects.filter(rollout=rollout, verb__in=MOVES).order_by("at", "pk")
    for event in events:
        phase: Phase | None = phases.get(event.object_id)
        opens = facts_of.opening_of(phase, rollout).at(event.after.get("percentage")) if phase else NOBODY
        verb = event.verb.partition(".")[2]
        is_in = event.verb in ("phase.start", "phase.advance")
        yield {
            "event": event.pk,
            "at": event.at,
            "by": event.actor,
            "verb": verb,
            "what": PHASE_VERBS[verb].did(event.in_words("object_name")),
            "phase": phase.title if phase else event.object_name,
            "for_whom": opens.words if is_in else "",
            "reason": event.in_words("reason"),
            "way": event.way_in_words if event.way else event.source,
        }


def _reading(one: FlagReading) -> dict[str, Any]:
    exposure: Exposure | None = {
        Presence.SET: one.exposure,
        Presence.UNSET_OFF: NOBODY,
        Presence.UNSET_ON: EVERYONE,
    }.get(Presence(one.presence))
    return {
        "at": one.read_at,
        "live_for": exposure.words if exposure is not None else Presence(one.presence).words,
        "source": one.source,
        "entered_by": one.entered_by,
        "evidence": one.evidence,
    }


def _waivers(rollout: Rollout) -> Iterator[dict[str, Any]]:
    for one in rollout.waivers.select_related("phase", "item").order_by("asked_at", "pk"):
        yield {
            "number": one.pk,
            "what": str(one),
            "phase": one.phase.name if one.phase else None,
            "item": one.item.key if one.item else None,
            "state": one.state,
            "state_words": one.get_state_display(),
            "asked_by": one.asked_by,
            "asked_at": one.asked_at,
            "way": ways.in_words(one.source, one.way),
            "reason": one.reason,
            "ends_at": one.ends_at,
            "decided_by": one.decided_by,
            "decided_at": one.decided_at,
            "note": one.note,
            "closed_by": one.closed_by,
            "closed_at": one.closed_at,
            "closing": one.closing,
        }


def _drift(rollout: Rollout, until: datetime) -> Iterator[dict[str, Any]]:
    """From when to when GitLab stood elsewhere than planned, each case by itself; one that lasts has no end.

    Events from before there were cases are about the rollout.
    """
    began: dict[tuple[str, str], dict[str, Any]] = {}
    for event in AuditEvent.objects.filter(rollout=rollout, verb__startswith="drift.").order_by("at", "pk"):
        case = (event.object_type, event.object_id)
        if (stood := began.pop(case, None)) is not None:
            yield {**stood, "until": event.at, "length": event.at - stood["from"]}
        if event.verb == "drift.began":
            said = event.in_words("after")
            written = event.after.get("since") or event.after.get("drift_since")
            began[case] = {
                "from": datetime.fromisoformat(written) if written else event.at,
                "kind": CLASS_WORDS.get(event.after.get("kind", ""), ""),
                "gitlab": said.get("gitlab", ""),
                "plan": said.get("plan", ""),
            }
    for stood in began.values():
        yield {**stood, "until": None, "length": max(until - stood["from"], timedelta(0))}
