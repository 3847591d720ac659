"""Readings by hand: where the token may not read instance flags, a person says what GitLab shows, with evidence.

They count like others, are marked as what they are, and go stale like others (DESIGN section 3).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import FeatureFlag, FlagReading, Outcome, Rollout, clock
from ..rules.blockers import Blocker, in_words
from ..rules.expected import Presence
from ..rules.exposure import Exposure
from ..rules.machine import Role
from ..rules.phrases import say
from . import due, freshness
from .refusals import in_evidence, refuse_if, role_missing

LONGEST_EVIDENCE = 500


def _gitlab_says_so_itself(flag: FeatureFlag, now: datetime) -> timedelta | None:
    """How long ago GitLab answered for this flag, where its last answer is good: nobody may say otherwise then."""
    scope = flag.project or flag.instance
    if scope.flags_outcome != Outcome.OK or scope.flags_read_at is None or flag.presence == Presence.UNREAD:
        return None
    return None if freshness.is_stale(scope.flags_read_at, now) else now - scope.flags_read_at


def enter(flag: FeatureFlag, exposure: Exposure, *, by: Actor, evidence: str) -> FlagReading:
    """Keep what a person read in GitLab; each rollout on the flag is looked at anew. Raises ``Refused``."""
    evidence = evidence.strip()
    blockers = role_missing(by, Role.MANAGER, say("Entering a reading"))
    if not evidence:
        blockers.append(
            Blocker("evidence_missing", say("Evidence is missing: give a link or a note of where you read it."))
        )
    blockers += in_evidence(evidence, LONGEST_EVIDENCE)
    now = clock.now()
    if since := _gitlab_says_so_itself(flag, now):
        message = say(
            "GitLab itself was read {age} ago, at {words}: a reading by hand is for when it can't be read.",
            age=in_words(since), words=flag.latest.words,
        )  # fmt: skip
        blockers.append(Blocker("gitlab_is_read", message))
    refuse_if(blockers)
    rollouts = Rollout.objects.on_flags([flag.pk]).get(flag.pk, [])
    with recorded("reading.enter", by=by, reason=evidence) as recording:
        flag = FeatureFlag.objects.locked().get(pk=flag.pk)
        reading = FlagReading.objects.create(
            flag=flag,
            read_at=now,
            presence=Presence.SET,
            gates=exposure.as_json(),
            source=FlagReading.Source.BY_HAND,
            entered_by=by.name,
            evidence=evidence,
        )
        flag.presence, flag.reading = Presence.SET, reading
        flag.save()
        recording.about = flag
        recording.rollout, recording.concerns = (rollouts[0], rollouts[1:]) if rollouts else (None, ())
    due.settle(rollout__flag=flag)
    return reading
