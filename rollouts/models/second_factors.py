"""A second factor beside a password: an authenticator's secret, and codes for the day on which it is lost."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..rules.phrases import say
from .change_log import AuditedModel

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

#: In a session: that its person has shown their second factor since they gave their password.
SHOWN, PENDING = "second_factor_shown", "second_factor_pending"


class SecondFactor(AuditedModel):
    """``secret`` is encrypted with a key that follows from ``SECRET_KEY``; ``recovery`` holds hashes of the codes that
    are left. ``last_step`` is the time step of the newest code that was taken: none is taken twice."""

    unaudited_fields = frozenset({"last_step", "failures", "failed_at"})
    secret_fields = frozenset({"secret", "recovery"})

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="second_factor")
    secret = models.TextField(editable=False)
    recovery = models.JSONField(default=list, editable=False)
    added_at = models.DateTimeField()
    last_step = models.BigIntegerField(default=0, editable=False)
    failures = models.PositiveSmallIntegerField(default=0, editable=False, help_text=_("Wrong codes in a row."))
    failed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("person",)

    def __str__(self) -> str:
        return say("second factor {number}", number=str(self.pk or ""))


def sealed(secret: bytes) -> str:
    """As it may be stored."""
    return _box().encrypt(secret).decode()


def opened(stored: str) -> bytes | None:
    """None where ``SECRET_KEY`` is another than that by which it was sealed."""
    from cryptography.fernet import InvalidToken

    try:
        return _box().decrypt(stored.encode())
    except InvalidToken:
        return None


def has_one(user: Any) -> bool:
    """Read together with the person at each request."""
    return bool(user.pk) and getattr(user, "second_factor", None) is not None


def _box() -> Fernet:
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    derived = HKDF(SHA256(), 32, salt=None, info=b"rollouts.second_factor").derive(settings.SECRET_KEY.encode())
    return Fernet(urlsafe_b64encode(derived))
