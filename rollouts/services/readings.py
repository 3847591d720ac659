"""Readings by hand: where the token may not read instance flags, a person says what GitLab shows, with evidence.

They count like others, are marked as what they are, and go stale like others (DESIGN section 3).
"""

from __future__ import annotations

from ..audit.actor import Actor
from ..audit.deeds import deed
from ..models import FeatureFlag, FlagReading, Rollout, clock
from ..rules.blockers import Blocker
from ..rules.expected import Presence
from ..rules.exposure import Exposure
from ..rules.machine import Role
from ..rules.words import say
from .reconcile import reconcile
from .refusals import refuse_if

LONGEST_EVIDENCE = 500


def enter(flag: FeatureFlag, exposure: Exposure, *, by: Actor, evidence: str) -> FlagReading:
    """Keep what a person read in GitLab; each rollout on the flag is looked at anew. Raises ``Refused``."""
    evidence = evidence.strip()
    found = []
    if not by.person.has(Role.MANAGER):
        found.append(
            Blocker("role", say("Entering a reading takes the role manager; {by} has not got it.", by=by.name))
        )
    if not evidence:
        found.append(
            Blocker("evidence_missing", say("Evidence is missing: give a link or a note of where you read it."))
        )
    if len(evidence) > LONGEST_EVIDENCE:
        found.append(
            Blocker(
                "evidence_long", say("Evidence is limited to {most} characters: link to it.", most=LONGEST_EVIDENCE)
            )
        )
    refuse_if(found)
    now = clock.now()
    with deed("reading.enter", by=by, reason=evidence) as doing:
        flag = FeatureFlag.objects.select_for_update().get(pk=flag.pk)
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
        doing.about = flag
        for rollout in Rollout.objects.whole().open().filter(flag=flag).select_for_update(of=("self",)):
            reconcile(rollout, now)
            doing.rollout = rollout
    return reading
