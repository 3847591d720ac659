"""Tokens by which scripts use the REST API in a person's name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from ..rules.phrases import say
from . import accounts
from .change_log import AuditedModel, Unaudited


class Ended(models.TextChoices):
    """Why what opened the portal in a person's name opens nothing any more."""

    BY_HAND = "", _("by hand")
    PASSWORD_SET = "password_set", _("somebody else set the person's password")
    SWITCHED_OFF = "switched_off", _("the person was switched off")
    ROLE_LOST = "role_lost", _("the person lost a role")


class ApiToken(AuditedModel):
    """One token of one person, with that person's rights. Its text is kept nowhere, only what recognises it."""

    #: ``digest`` recognises the token, so it is no one's to read: not in history, not on a page.
    unaudited_fields = frozenset({"digest", "last_used_at"})

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=100, help_text=_("What it is for: nightly report."))
    prefix = models.CharField(max_length=8, help_text=_("How the token begins, to tell tokens apart."))
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text=_("SHA-256 of the token."))
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, help_text=_("To the minute."))
    expires_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: never."))
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_because = models.CharField(max_length=20, blank=True, choices=Ended.choices)
    made_by = models.CharField(
        max_length=150, blank=True, help_text=_("Who made it; empty where it was its person. Others' approve nothing.")
    )

    class Meta:
        ordering = ("-created_at", "-pk")
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="token_has_a_name"),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")), name="token_lives_a_while"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def opens_at(self, now: datetime) -> bool:
        """Whether it works: not revoked, not expired, and its person may still sign in."""
        is_expired = self.expires_at is not None and self.expires_at <= now
        return self.revoked_at is None and not is_expired and self.person.is_active and not self.waits

    @property
    def waits(self) -> bool:
        """Its person must set a password of their own first."""
        return accounts.must_change_password(self.person)

    def refuse_shortcuts(self, fields: Iterable[str] | None = None) -> None:
        """The digest is in no history, so it must never change."""
        if not self._state.adding and self.digest != self._stored.get("digest", self.digest):
            raise Unaudited("a token's digest never changes: issue another token")


class FeedKey(AuditedModel):
    """Lets calendars and feed readers, which can't sign in, read one person's feeds.

    Their addresses carry a signature over the person and ``generation``, made with the portal's secret key: nothing
    here opens anything. Another generation, and the addresses before it are void.
    """

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="feed_key")
    generation = models.PositiveIntegerField(default=1, editable=False)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=20, blank=True, choices=Ended.choices)

    class Meta:
        ordering = ("person",)

    def __str__(self) -> str:
        return say("feeds of {person}", person=self.person)

    @property
    def is_open(self) -> bool:
        return self.ended_at is None and self.person.is_active and not accounts.must_change_password(self.person)
