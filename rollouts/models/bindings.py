"""What the environment says of each GitLab, as settings: its address, and the secrets that go there alone."""

from __future__ import annotations

from django.conf import settings

from ..rules.bindings import DEFAULT, variable


def url_of(name: str) -> str:
    """The address that the environment binds this name to, empty where it does not know the name."""
    return str(settings.GITLAB_URL if name == DEFAULT else settings.GITLAB_INSTANCES.get(name, ""))


def names() -> list[str]:
    """All names that the environment binds, the default one first."""
    return [*([DEFAULT] if settings.GITLAB_URL else []), *sorted(settings.GITLAB_INSTANCES)]


def value(secret: str, name: str) -> str:
    """One of ``SECRETS`` for this name, empty where it is not set."""
    return str(getattr(settings, variable(secret, name), ""))
