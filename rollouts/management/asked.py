"""What a command was asked: who runs it, which rollout and phase it names, and how it is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from rollouts.audit.actor import Actor
from rollouts.models import Phase, Rollout
from rollouts.rules.blockers import Blocker
from rollouts.rules.phrases import say
from rollouts.services import facts
from rollouts.services.refusals import Refused


def actor_named(username: str | None) -> Actor:
    """Raises ``CommandError`` (exit 2) for a user that there is not, or that is switched off."""
    if not username:
        return Actor.system_user()
    user = get_user_model()._default_manager.filter(username=username).first()
    if user is None or not user.is_active:
        raise CommandError(f"There is no active portal user {username}.", returncode=2)
    return Actor.of(user)


def rollout_named(slug: str) -> Rollout:
    """With all that the rules need. Raises ``CommandError`` (exit 2)."""
    rollout: Rollout | None = Rollout.objects.whole().filter(slug=slug).first()
    if rollout is None:
        raise CommandError(f"There is no rollout {slug}.", returncode=2)
    return rollout


def phase_named(rollout: Rollout, name: str) -> Phase:
    """Its newest attempt. Raises ``CommandError`` (exit 2)."""
    phases = {phase.name: phase for phase in facts.newest_attempts(rollout)}
    if name not in phases:
        raise CommandError(f"{rollout.slug} has no phase {name}. There are: {', '.join(phases)}.", returncode=2)
    return phases[name]


def in_anothers_name(name: str) -> Blocker:
    """Why a command decides in nobody's name."""
    message = say(
        "Who runs a command decides in nobody's name: {name} decides on the portal's pages, or with a token of "
        "their own. COMMAND_MAY_APPROVE=true lets commands do so.",
        name=name,
    )
    return Blocker("in_anothers_name", message)


def refuse(
    command: BaseCommand,
    refused: Refused,
    what: str,
    answer: Mapping[str, Any],
    *,
    as_json: bool,
    page: str = "",
    digest: str = "",
) -> NoReturn:
    """``answer`` is what JSON says besides, ``page`` the rollout's, ``digest`` what stands to be decided about."""
    if as_json:
        blockers = [blocker.as_json(page) for blocker in refused.blockers]
        told = {"ok": False, **answer, "blockers": blockers, **({"digest": digest} if digest else {})}
        command.stdout.write(json.dumps(told))
    else:
        command.stderr.write(f"Refused: {what}.")
        for blocker in refused.blockers:
            command.stderr.write(f"  - {blocker.message}")
        if digest:
            command.stderr.write(f"What stands now: --looked-at {digest}")
    raise SystemExit(1) from None
