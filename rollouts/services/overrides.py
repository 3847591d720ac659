"""Overrides are a debt: recorded with what was passed, closed by a second person's review."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from ..audit.actor import Actor
from ..models import Override, Phase, Rollout
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.phrases import say
from .refusals import refuse_if
from .rollout_work import working_on

REVIEWERS = (Role.APPROVER, Role.ADMIN)


def record(phase: Phase, verb: str, passed: list[Blocker], *, by: Actor, reason: str, now: datetime) -> Override:
    """Called inside the recorded change of the transition that it lets pass."""
    return Override.objects.create(
        phase=phase,
        verb=verb,
        by=by.name,
        at=now,
        reason=reason,
        blockers=[blocker.message for blocker in passed],
        due_at=now + timedelta(days=settings.OVERRIDE_REVIEW_DAYS),
    )


def review(override: Override, *, by: Actor, verdict: str) -> Override:
    """A second person looks at an override and says what they found. Raises ``Refused``; then nothing changed."""
    verdict = verdict.strip()
    with working_on(override.phase.rollout_id, "override.review", by=by, reason=verdict) as work:
        work.recording.about = override = Override.objects.select_related("phase__rollout").get(pk=override.pk)
        work.recording.rollout = override.phase.rollout
        refuse_if(blockers_of_review(override, by, verdict=verdict))
        override.reviewed_by, override.reviewed_at, override.verdict = by.name, work.now, verdict
        override.save()
    return override


def reviewable(rollout: Rollout, by: Actor) -> set[int]:
    """Overrides, by key, whose review this person may close. ``rollout`` is loaded whole."""
    made = (one for phase in rollout.phases.all() for one in phase.overrides.all() if one.reviewed_at is None)
    return {one.pk for one in made if not blockers_of_review(one, by)}


def blockers_of_review(override: Override, by: Actor, *, verdict: str = "-") -> list[Blocker]:
    """Why this person can't close the review."""
    blockers = []
    if not any(by.person.has(role) for role in REVIEWERS):
        blockers.append(Blocker("role", say("A review takes the role approver; {by} has not got it.", by=by.name)))
    if override.by in (by.name, *by.person.twins):
        blockers.append(Blocker("four_eyes", say("{by} made the override: somebody else must review it.", by=by.name)))
    blockers += by.person.own_voice() + by.person.hands_of({override.by})
    if override.reviewed_at is not None:
        blockers.append(Blocker("reviewed", say("{who} has reviewed it already.", who=override.reviewed_by)))
    if not verdict.strip():
        blockers.append(Blocker("reason_missing", say("Say what the review found.")))
    return blockers
