"""What somebody is told: one row for each event and person, and one more for each way it is owed by."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..rules.phrases import say
from ..rules.telling import Wishes
from .change_log import AuditedModel
from .history import AuditEvent
from .phrase_fields import PhraseField
from .rollouts import Rollout


class Notice(models.Model):
    """An event that concerns a person. Its words are the event's own; it says besides whether it was read.

    One that was ``dropped`` is shown no more: it became moot, or a newer one stands for it.
    """

    event = models.ForeignKey(AuditEvent, on_delete=models.DO_NOTHING, db_constraint=False, related_name="notices")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=20)
    about = models.CharField(max_length=120, help_text=_("The object of the event: Phase 12."))
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    dropped = models.BooleanField(default=False)

    class Meta:
        ordering = ("-event",)
        constraints = [models.UniqueConstraint(fields=("event", "person"), name="told_once")]
        indexes = [
            models.Index(fields=("person", "-event"), name="notice_by_person", condition=Q(dropped=False)),
            models.Index(fields=("person",), name="notice_unread", condition=Q(dropped=False, read_at=None)),
            models.Index(fields=("about", "kind"), name="notice_by_object", condition=Q(dropped=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.about}"


class NoticePlace(models.Model):
    """Up to which seal notices were made; one row. Whoever holds its lock makes the next."""

    position = models.BigIntegerField(default=-1)

    def __str__(self) -> str:
        return f"{self.position}"


class Owed(models.Model):
    """Something that is to be sent, once. It ends sent, dropped because it was moot, or given up.

    ``since`` is when the first began that it stands for: what keeps changing is put off no longer than minutes.
    """

    class State(models.TextChoices):
        WAITING = "waiting", say("waits")
        SENT = "sent", say("sent")
        DROPPED = "dropped", say("not needed any more")
        GIVEN_UP = "given_up", say("given up")

    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    since = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    words = PhraseField(max_length=500, blank=True, help_text=_("How the last attempt ended."))
    ended_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class OwedMail(Owed):
    """A notice that its person is told by mail too: alone, or in the digest of a day."""

    notice = models.OneToOneField(Notice, on_delete=models.CASCADE, related_name="mail")
    in_digest = models.BooleanField(default=False)

    class Meta:
        ordering = ("next_attempt_at", "pk")
        indexes = [models.Index(fields=("next_attempt_at", "id"), condition=Q(state="waiting"), name="mail_due")]

    def __str__(self) -> str:
        return f"mail of {self.notice}"


class ChatRoom(AuditedModel):
    """A chat of the environment, and what it is told: all, or what concerns a group or a rollout."""

    name = models.CharField(max_length=50, help_text=_("A name in NOTIFY_URLS."))
    group = models.ForeignKey(
        "auth.Group", on_delete=models.PROTECT, null=True, blank=True, related_name="chats",
        help_text=_("Only what concerns somebody of this group; once, however many it concerns."),
    )  # fmt: skip
    rollout = models.ForeignKey(
        Rollout, on_delete=models.PROTECT, null=True, blank=True, related_name="chats",
        help_text=_("Only what happens to this rollout."),
    )  # fmt: skip

    class Meta:
        ordering = ("name", "pk")
        verbose_name = _("chat")
        verbose_name_plural = _("chats")

    def __str__(self) -> str:
        return self.name


class OwedChat(Owed):
    """An event that a chat is told of, by one line and a link."""

    event = models.ForeignKey(AuditEvent, on_delete=models.DO_NOTHING, db_constraint=False, related_name="chats")
    name = models.CharField(max_length=50)
    kind = models.CharField(max_length=20)
    about = models.CharField(max_length=120)

    class Meta:
        ordering = ("next_attempt_at", "pk")
        constraints = [models.UniqueConstraint(fields=("event", "name"), name="chatted_once")]
        indexes = [
            models.Index(fields=("name", "next_attempt_at", "id"), condition=Q(state="waiting"), name="chat_due"),
        ]

    def __str__(self) -> str:
        return f"chat {self.name}: {self.kind} {self.about}"


class Sender(models.Model):
    """One for each way: whose turn it is to send, and since when nothing goes out at all."""

    way = models.CharField(max_length=40, primary_key=True)
    held_by = models.CharField(max_length=32, blank=True)
    held_until = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    words = PhraseField(max_length=500, blank=True)

    def __str__(self) -> str:
        return self.way


class Condition(models.Model):
    """Something that holds for a while by the clock, and that people were told of when it began: a lock, a debt."""

    key = models.CharField(max_length=300, unique=True)
    title = models.CharField(max_length=200)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=("id",), name="condition_holds", condition=Q(ended_at=None))]

    def __str__(self) -> str:
        return self.title


class NoticeSettings(AuditedModel):
    """How somebody wants to be told; who has none is told in the usual way (``rules.telling``)."""

    unaudited_fields = frozenset({"id", "person"})

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="notice_settings")
    by_mail = models.JSONField(default=dict, blank=True, help_text=_("By kind: now, digest or off."))
    by_bell = models.JSONField(default=dict, blank=True, help_text=_("By kind: now or off."))
    zone = models.CharField(max_length=60, default="UTC")
    language = models.CharField(max_length=10, default="en")
    digest_hour = models.PositiveSmallIntegerField(default=8)
    quiet_from = models.PositiveSmallIntegerField(null=True, blank=True, help_text=_("An hour of the person's zone."))
    quiet_until = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("person",)
        verbose_name_plural = _("notice settings")
        constraints = [
            models.CheckConstraint(
                condition=Q(digest_hour__lt=24)
                & (
                    Q(quiet_from=None, quiet_until=None)
                    | (Q(quiet_from__lt=24, quiet_until__lt=24) & ~Q(quiet_from=models.F("quiet_until")))
                ),
                name="hours_of_a_day",
            )
        ]

    def __str__(self) -> str:
        return say("how {person} is told", person=self.person)

    @property
    def wishes(self) -> Wishes:
        quiet = None if self.quiet_from is None or self.quiet_until is None else (self.quiet_from, self.quiet_until)
        return Wishes(self.by_mail, self.by_bell, self.zone, self.digest_hour, quiet)


class FollowedRollout(AuditedModel):
    """Somebody is told of a rollout as its owners are, or of nothing of it."""

    unaudited_fields = frozenset({"id", "person", "rollout"})

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="followed")
    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, related_name="followers")
    how = models.CharField(max_length=10, default="follow", help_text=_("follow or mute."))

    class Meta:
        ordering = ("rollout", "person")
        constraints = [
            models.UniqueConstraint(fields=("person", "rollout"), name="followed_once"),
            models.CheckConstraint(condition=Q(how__in=("follow", "mute")), name="followed_or_muted"),
        ]

    def __str__(self) -> str:
        return self.rollout.title
