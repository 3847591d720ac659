"""How a rollout's flag gets from where GitLab was read to where it should be: the exact commands."""

from __future__ import annotations

from ..models import Rollout
from ..rules import commands
from ..rules.commands import Command
from ..rules.expected import Presence
from ..rules.exposure import NOBODY, Exposure
from ..rules.facts import RolloutFacts
from . import facts as facts_of


def commands_to(rollout: Rollout, facts: RolloutFacts, wanted: Exposure) -> tuple[Command, ...]:
    """What to run, in this order; nothing if GitLab stands so, was never read, or does not know the flag."""
    reading = facts.reading
    if reading.presence in (Presence.UNREAD, Presence.UNKNOWN):
        return ()
    stands = reading.exposure if reading.presence is Presence.SET and reading.exposure is not None else NOBODY
    if stands.is_exactly(wanted):
        return ()
    flag, instance = rollout.flag, rollout.flag.instance
    if flag.project:
        return commands.for_project_flag(
            flag.name,
            project=flag.project.path,
            environment=flag.environment,
            wanted=wanted,
            strategies=list(flag.reading.strategies) if flag.reading else [],
            api_url=instance.api_url,
        )
    return commands.for_instance_flag(
        flag.name, now=stands, wanted=wanted, names=facts_of.actor_names(rollout), api_url=instance.api_url
    )
