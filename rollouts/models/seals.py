"""What proves the history: the place of each event in its chain and in the tree of all, and checkpoints over it.

Seals and checkpoints are append-only, as the history is (``audit.triggers``). They follow from the events: not a
thing that somebody changes.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .history import AuditEvent
from .phrase_fields import PhraseField, PhraseJSONField


class Seal(models.Model):
    """An event's place: ``position`` among all, from 0, and ``number`` in its chain, from 1."""

    event = models.OneToOneField(
        AuditEvent, on_delete=models.DO_NOTHING, db_constraint=False, related_name="seal",
        help_text=_("That it is there no more is told by a tombstone."),
    )  # fmt: skip
    position = models.BigIntegerField(unique=True)
    chain = models.CharField(max_length=120)
    number = models.PositiveIntegerField()
    salt = models.CharField(max_length=32, help_text=_("Keys the hash of what needs a role to be seen."))
    digest = models.CharField(max_length=64, help_text=_("SHA-256 of the sealed form, which holds the one before."))

    class Meta:
        ordering = ("position",)
        constraints = [models.UniqueConstraint(fields=("chain", "number"), name="one_event_per_number")]

    def __str__(self) -> str:
        return f"{self.chain} {self.number}"


class Checkpoint(models.Model):
    """A signed note over the first ``size`` events; ``nodes`` are the right edge of their tree, to go on from."""

    at = models.DateTimeField()
    size = models.BigIntegerField(unique=True)
    root = models.CharField(max_length=64)
    note = models.TextField()
    keys = models.JSONField(default=list, help_text=_("The public keys of its signatures, as verifier keys."))
    nodes = models.JSONField(default=list)
    settled = models.BigIntegerField(help_text=_("All events up to this number are sealed."))

    class Meta:
        ordering = ("-size",)

    def __str__(self) -> str:
        return f"{self.size}"


class Tombstone(models.Model):
    """Of an event that is no longer what was sealed: a person's going took something out of it, or a rule all of it.

    ``told_by`` is the event that says so, by number and by the hash over all that it took something from. The seal
    stays, and with it the event's place, number and digest.
    """

    event = models.OneToOneField(AuditEvent, on_delete=models.DO_NOTHING, db_constraint=False, related_name="tombstone")
    told_by = models.ForeignKey(AuditEvent, on_delete=models.PROTECT, related_name="tombstones")

    class Meta:
        ordering = ("event_id",)  # by ``event`` they would be joined to what may be gone

    def __str__(self) -> str:
        return f"{self.event_id}"


class PersonSalt(models.Model):
    """Keys the hash of one person's name.

    Who is forgotten has none any more: ``name`` then stands in for the name, and ``hidden`` is what it was hashed as.
    """

    name = models.CharField(max_length=1_000, unique=True)
    salt = models.CharField(max_length=64, blank=True)
    hidden = models.CharField(max_length=71, blank=True)

    def __str__(self) -> str:
        return self.name


class Verification(models.Model):
    """What verifying the whole history found, and when."""

    at = models.DateTimeField()
    events = models.BigIntegerField()
    chains = models.BigIntegerField()
    tombstones = models.BigIntegerField(default=0, help_text=_("How many of the events are tombstones."))
    size = models.BigIntegerField(null=True, help_text=_("Of the newest checkpoint that it was held against."))
    first_bad = PhraseJSONField(null=True, help_text=_("The first that is wrong: event, chain, why."))

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def is_ok(self) -> bool:
        return self.first_bad is None


class CheckpointCopy(models.Model):
    """How it goes with the copies in one place outside: the newest that is there, and when it is tried next."""

    to = models.CharField(max_length=500, unique=True)
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, null=True)
    copied_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0, help_text=_("Since the last that arrived."))
    words = PhraseField(max_length=500, blank=True, help_text=_("Why the last attempt failed."))

    def __str__(self) -> str:
        return self.to
