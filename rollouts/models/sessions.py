"""Sessions of browsers, of which their person can see and end each: Django's own, with whose they are beside the data.

``SESSION_ENGINE`` names this module (Django's docs: "Extending database-backed session engines").
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

#: In a session: when its person signed in last, and by what browser.
SIGNED_IN_AT, DEVICE = "signed_in_at", "signed_in_by"
#: When they last showed who they are: by their password here, or to the provider, where it says when.
PROVED_AT = "proved_at"
#: When they asked by a form to have their account connected at the provider.
LINK = "oidc_link"
LONGEST_DEVICE = 100


def reference_of(key: str) -> str:
    """How history and pages name a session: who knows it can't come in by it."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


class BrowserSession(AbstractBaseSession):
    """One browser's. What opens it is its key, which is told to nobody; ``reference`` names it."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    reference = models.CharField(max_length=12, db_index=True)
    device = models.CharField(max_length=LONGEST_DEVICE, blank=True)
    signed_in_at = models.DateTimeField(null=True)

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        return SessionStore


class SessionStore(DatabaseStore):
    """Keeps whose session it is, so that it is found without reading all of them."""

    @classmethod
    def get_model_class(cls) -> type[BrowserSession]:
        return BrowserSession

    def create_model_instance(self, data: dict[str, Any]) -> BrowserSession:
        row = cast(BrowserSession, super().create_model_instance(data))
        row.person_id = int(data[SESSION_KEY]) if data.get(SESSION_KEY) else None
        row.reference = reference_of(row.session_key)
        row.device = data.get(DEVICE, "")[:LONGEST_DEVICE]
        row.signed_in_at = datetime.fromisoformat(data[SIGNED_IN_AT]) if data.get(SIGNED_IN_AT) else None
        return row
