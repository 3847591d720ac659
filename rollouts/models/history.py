"""The history: one append-only row per change (DESIGN section 7)."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connection, models, transaction
from django.utils.translation import gettext_lazy as _

from ..rules import ways
from ..rules.origins import concealed
from ..rules.phrases import Phrase, say
from .phrase_fields import PhraseJSONField
from .rollouts import Rollout


class HistoryIsAppendOnly(RuntimeError):
    """Somebody tried to change or delete history."""


def phrases_in(value: Any) -> Any:
    """Only what can be said in other languages of a text, a list or a mapping; None where nothing can."""
    if isinstance(value, dict):
        return {key: phrases for key, one in value.items() if (phrases := phrases_in(one))} or None
    if isinstance(value, list):
        return value if any(map(phrases_in, value)) else None
    return value if isinstance(value, Phrase) else None


def merged(plain: Any, phrases: Any) -> Any:
    """Plain values, with what of them can be said in other languages as phrases."""
    if isinstance(plain, dict) and isinstance(phrases, dict):
        return plain | {key: merged(plain.get(key), one) for key, one in phrases.items()}
    return plain if phrases is None else phrases


def _secrets(object_type: str) -> frozenset[str]:
    """The fields of such an object that nobody is shown."""
    try:
        return getattr(apps.get_model("rollouts", object_type), "secret_fields", frozenset())
    except LookupError:
        return frozenset()


def shown(object_type: str, values: dict[str, Any]) -> dict[str, Any]:
    """What anybody may see of values that were kept before they were known to be secret.

    History can't be rewritten, so it is told with care. Another object stands under a key of its own: «Phase 3: Team».
    """
    secrets, told = _secrets(object_type), dict[str, Any]()
    for key, value in values.items():
        if key in secrets:
            told[key] = concealed(value)
        elif isinstance(value, dict) and ": " in key:
            told[key] = shown(key.partition(" ")[0], value)
        else:
            told[key] = value
    return told


def event_words() -> Any:
    """The model of what events are found by, which refers to this one."""
    return apps.get_model("rollouts", "EventWords")


class AuditEventQuerySet(models.QuerySet):
    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> Any:
        with transaction.atomic(using=self.db):
            events = super().bulk_create(objs, *args, **kwargs)
            event_words().objects.keep(events)
        return events

    def update(self, **values: Any) -> int:
        raise HistoryIsAppendOnly("history can't be changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise HistoryIsAppendOnly("history can't be deleted")

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        raise HistoryIsAppendOnly("history can't be changed")

    def newest_first(self) -> AuditEventQuerySet:
        """In the order of their time: what was told late, or out of order, stands where it belongs."""
        return self.select_related("rollout").order_by("-at", "-pk")

    def of_rollout(self, slug: str) -> AuditEventQuerySet:
        """What belongs to a rollout, and what concerns it besides another one (a reading of a flag that both have)."""
        own = AuditEvent.objects.order_by().filter(rollout__slug=slug).values("pk")
        also = AuditEvent.concerns.through.objects.filter(rollout__slug=slug).values("auditevent_id")
        return self.filter(pk__in=own.union(also))  # an OR of the two walks the whole table

    def known(self, column: str, limit: int = 200) -> list[str]:
        """The values that a column with an index has, in their order: as many small steps as there are values."""
        if column not in ("verb", "source", "actor"):
            raise ValueError(f"{column} has no index to walk along")
        table, name = (connection.ops.quote_name(each) for each in (AuditEvent._meta.db_table, column))
        walk = (
            f"WITH RECURSIVE known(value) AS (SELECT MIN({name}) FROM {table} UNION ALL "  # noqa: S608
            f"SELECT (SELECT MIN({name}) FROM {table} WHERE {name} > value) FROM known WHERE value IS NOT NULL) "
            "SELECT value FROM known WHERE value IS NOT NULL LIMIT %s"
        )
        with connection.cursor() as cursor:
            cursor.execute(walk, [limit])
            return [value for (value,) in cursor.fetchall()]


class AuditEvent(models.Model):
    """Who, what, when, from where, why, before and after. Triggers in the database refuse UPDATE and DELETE.

    ``confidential`` holds what only people with a role may see (text of GitLab issues); the actor is text, so that
    history outlives the person. All is kept in English; ``said`` holds once more what of it are phrases. A hash chain
    per ``chain`` can be laid over the rows in the order of their ids.
    """

    class ActorKind(models.TextChoices):
        PERSON = "person", say("person")
        SYSTEM_USER = "system_user", say("operating system's user")
        JOB = "job", say("job")

    at = models.DateTimeField(db_index=True)
    actor_kind = models.CharField(max_length=20, choices=ActorKind.choices)
    actor = models.CharField(max_length=150)
    verb = models.CharField(max_length=50, help_text=_("phase.start, plan.apply, flag.read …"))
    object_type = models.CharField(max_length=50)
    object_id = models.CharField(max_length=50)
    object_name = models.CharField(max_length=200)
    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, null=True, blank=True, related_name="events")
    concerns = models.ManyToManyField(
        Rollout, related_name="+", help_text=_("Rollouts besides that one in whose history it stands too.")
    )
    chain = models.CharField(max_length=120, help_text=_("rollout:<slug>, or portal for what belongs to no rollout."))
    reason = models.TextField(blank=True)
    source = models.CharField(max_length=20, help_text=_("page, admin, command, sync …"))
    request_id = models.CharField(max_length=64, blank=True)
    way = models.JSONField(
        null=True,
        editable=False,
        help_text=_("By what way it came: the operating system's user, the API token, or the session."),
    )
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    confidential = models.JSONField(default=dict)
    said = PhraseJSONField(
        null=True, editable=False, help_text=_("What of reason, name and notes can be said in the reader's language.")
    )
    snapshot = models.JSONField(default=dict, help_text=_("An object that was made, as it was then."))

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ("-at", "-pk")
        indexes = [
            models.Index(fields=("rollout", "-id"), name="event_by_rollout"),
            models.Index(fields=("chain", "id"), name="event_by_chain"),
            models.Index(fields=("-at", "-id"), name="event_time"),
            models.Index(fields=("rollout", "-at", "-id"), name="event_rollout_time"),
            models.Index(fields=("actor", "-at", "-id"), name="event_actor_time"),
            models.Index(fields=("verb", "-at", "-id"), name="event_verb_time"),
            models.Index(fields=("source", "-at", "-id"), name="event_source_time"),
            models.Index(fields=("object_type", "object_id", "-at", "-id"), name="event_object_time"),
            models.Index(fields=("request_id", "-at", "-id"), name="event_request_time"),
            models.Index(fields=("rollout", "verb", "-at", "-id"), name="event_rollout_verb"),
            models.Index(fields=("actor", "verb", "-at", "-id"), name="event_actor_verb"),
        ]

    def shown(self, name: str) -> Any:
        """``before``, ``after`` or ``snapshot`` as everybody may see it; no door shows them in another way."""
        return shown(self.object_type, getattr(self, name))

    def in_words(self, name: str) -> Any:
        """``reason``, ``object_name``, ``before`` or ``after`` as a page tells it; English what was kept so."""
        kept = self.shown(name) if name in ("before", "after") else getattr(self, name)
        return merged(kept, (self.said or {}).get(name))

    def name_in_words(self, key: str) -> str:
        """How another object is called under whose key a change of it stands: «Phase 3: Owning team»."""
        return str((self.said or {}).get("names", {}).get(key) or key.partition(": ")[2] or key)

    @property
    def way_in_words(self) -> Phrase:
        """«on a page, session 3f9a1c, signed in 28 Nov 14:02 UTC»"""
        return ways.in_words(self.source, self.way or {})

    def __str__(self) -> str:
        return say("{who} {verb} {what}", who=self.actor, verb=self.verb, what=self.in_words("object_name"))

    def as_json(self, *, sees_confidential: bool) -> dict[str, Any]:
        """The event as commands and the API give it; what needs a role is left out without it."""
        shown = {
            "id": self.pk,
            "at": self.at.isoformat(),
            "actor": {"kind": self.actor_kind, "name": self.actor},
            "verb": self.verb,
            "object": {"type": self.object_type, "id": self.object_id, "name": self.object_name},
            "rollout": self.rollout.slug if self.rollout else None,
            "reason": self.reason,
            "source": self.source,
            "request_id": self.request_id,
            "way": self.way or {},
            "before": self.shown("before"),
            "after": self.shown("after"),
        }
        return {**shown, "confidential": self.confidential} if sees_confidential else shown

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise HistoryIsAppendOnly("history can't be changed")
        with transaction.atomic():
            super().save(*args, **kwargs)
            event_words().objects.keep([self])

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise HistoryIsAppendOnly("history can't be deleted")
