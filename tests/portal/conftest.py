"""An identity provider for the tests that sign in by one."""

from __future__ import annotations

import pytest

from rollouts.rules.identities import roles_by_group
from tests.portal.oidc import Provider


@pytest.fixture
def provider(settings, monkeypatch):
    from rollouts.portal import identity_provider

    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # the provider's own: it speaks plain http here
    identity_provider._registered.cache_clear()
    with Provider() as running:
        settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = running.url, "portal", "secret"
        settings.OIDC_ROLES = roles_by_group("acme/managers:manager acme/Approvers:approver acme/managers:approver")
        running.knows(
            "7", preferred_username="ann", email="ann@example.com", email_verified=True, groups=["acme/managers"]
        )
        yield running
