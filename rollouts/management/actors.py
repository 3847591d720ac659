"""Who runs a command: the portal user named with ``--as``, or the operating system's user."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from rollouts.audit.actor import Actor


def actor_named(username: str | None) -> Actor:
    """Raises ``CommandError`` (exit 2) for a user that there is not, or that is switched off."""
    if not username:
        return Actor.system_user()
    user = get_user_model()._default_manager.filter(username=username).first()
    if user is None or not user.is_active:
        raise CommandError(f"There is no active portal user {username}.", returncode=2)
    return Actor.of(user)
