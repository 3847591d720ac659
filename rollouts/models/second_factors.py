"""A second factor beside a password: an authenticator's secret, passkeys, and codes for the day on which it is lost."""

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
    """There where somebody has one: an authenticator, passkeys, or both.

    ``secret`` is the authenticator's, empty where there is none, and encrypted with a key that follows from
    ``SECRET_KEY``; ``recovery`` holds hashes of the codes that
    are left. ``last_step`` is the time step of the newest code that was taken: none is taken twice."""

    unaudited_fields = frozenset({"last_step", "failures", "failed_at"})
    secret_fields = frozenset({"secret", "recovery"})

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="second_factor")
    secret = models.TextField(blank=True, editable=False)
    recovery = models.JSONField(default=list, editable=False)
    added_at = models.DateTimeField()
    last_step = models.BigIntegerField(default=0, editable=False)
    failures = models.PositiveSmallIntegerField(default=0, editable=False, help_text=_("Wrong codes in a row."))
    failed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("person",)

    def __str__(self) -> str:
        return say("second factor {number}", number=str(self.pk or ""))


class Passkey(AuditedModel):
    """``credential`` is what the device told of its key when it was made: which kind of device, number, public key.

    ``sign_count`` is how often it has signed, where the device counts.
    """

    unaudited_fields = frozenset({"sign_count", "used_at"})
    secret_fields = frozenset({"credential", "credential_id"})

    factor = models.ForeignKey(SecondFactor, on_delete=models.PROTECT, related_name="passkeys")
    name = models.CharField(max_length=60)
    credential_id = models.CharField(max_length=1400, unique=True, editable=False)
    credential = models.TextField(editable=False)
    sign_count = models.BigIntegerField(default=0, editable=False)
    added_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("added_at", "pk")

    def __str__(self) -> str:
        return say("passkey {number}", number=str(self.pk or ""))


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
