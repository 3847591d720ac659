"""Change locks: periods in which no flag may reach more people, and where they come from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from ..rules.locks import DAYS as DAYS_OF_THE_WEEK
from ..rules.locks import Weekly, Window
from ..rules.origins import server_of
from ..rules.phrases import say
from .change_log import AuditedModel, AuditedQuerySet
from .gitlab import GitLabInstance, Outcome
from .phrase_fields import PhraseField, PhraseJSONField

DAYS = list(enumerate(DAYS_OF_THE_WEEK))
INCIDENT_LABELS = ("severity::1", "severity::2")


def incident_labels() -> list[str]:
    """What GitLab's own check looks at (FACTS section 5c: active incidents of severity 1 and 2)."""
    return list(INCIDENT_LABELS)


class ChangeLockQuerySet(AuditedQuerySet):
    def touching(self, since: datetime, until: datetime) -> Any:
        """Those that were not ended and may lock within [since, until); by index, however many are over.

        A union of two queries: narrow it and add ``select_related`` before.
        """
        here = self.filter(ended_at=None).order_by()
        once = here.filter(kind=ChangeLock.Kind.ONCE, ends_at__gt=since, starts_at__lt=until)
        # SQLite would look at every row for an OR of both.
        return once.union(here.filter(kind=ChangeLock.Kind.WEEKLY), all=True).order_by("-created_at", "-id")


class ChangeLock(AuditedModel):
    """A period entered by hand: once, or every week in a named time zone."""

    class Kind(models.TextChoices):
        ONCE = "once", say("once")
        WEEKLY = "weekly", say("every week")

    title = models.CharField(max_length=200, help_text=_("Why nothing may widen: a freeze, a release day."))
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.ONCE)
    instance = models.ForeignKey(
        GitLabInstance,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="locks",
        help_text=_("Empty: for rollouts on every GitLab."),
    )
    starts_at = models.DateTimeField(null=True, blank=True, help_text=_("For a period once."))
    ends_at = models.DateTimeField(null=True, blank=True)
    from_day = models.PositiveSmallIntegerField(null=True, blank=True, choices=DAYS, validators=[MaxValueValidator(6)])
    from_time = models.TimeField(null=True, blank=True)
    to_day = models.PositiveSmallIntegerField(null=True, blank=True, choices=DAYS, validators=[MaxValueValidator(6)])
    to_time = models.TimeField(null=True, blank=True)
    zone = models.CharField(_("time zone"), max_length=60, default="UTC", help_text=_("For every week: Europe/Berlin."))
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, help_text=_("When it was ended early, or taken away."))
    ended_by = models.CharField(max_length=150, blank=True)

    objects = ChangeLockQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = [models.Index(fields=("kind", "ends_at"), name="lock_not_ended", condition=Q(ended_at=None))]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="once", starts_at__isnull=False, ends_at__isnull=False, from_day__isnull=True)
                | Q(
                    kind="weekly",
                    starts_at__isnull=True,
                    ends_at__isnull=True,
                    from_day__isnull=False,
                    from_time__isnull=False,
                    to_day__isnull=False,
                    to_time__isnull=False,
                ),
                name="a_lock_is_once_or_weekly",
            ),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True) | Q(ends_at__gt=F("starts_at")), name="a_lock_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="ended_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def weekly(self) -> Weekly:
        """The rule of a lock of every week."""
        assert self.from_day is not None
        assert self.to_day is not None
        assert self.from_time is not None
        assert self.to_time is not None
        return Weekly(self.from_day, self.from_time, self.to_day, self.to_time, self.zone)

    def windows(self, since: datetime, until: datetime) -> list[Window]:
        """The periods that touch this span, in UTC; none after it was ended."""
        if self.kind == self.Kind.WEEKLY:
            found = self.weekly.windows(since, until)
        else:
            assert self.starts_at is not None
            assert self.ends_at is not None
            found = [Window(self.starts_at, self.ends_at, self.title)]
        end = self.ended_at
        return [w for w in found if w.starts_at < until and w.ends_at > since and (end is None or w.starts_at < end)]


class LockCalendar(AuditedModel):
    """A calendar of change locks: uploaded as an iCalendar file, or read from an address on an allowed host.

    Its address may open it for everybody, so nobody is shown more than the server; what stands in it is no history:
    the periods that changed are.
    """

    unaudited_fields = frozenset(
        {"content", "digest", "known_until", "notes", "outcome", "read_at", "tried_at", "words"}
    )
    secret_fields = frozenset({"url", "content"})

    name = models.CharField(max_length=100, unique=True)
    url = models.URLField(max_length=1000, blank=True, help_text=_("Empty: an uploaded file."))
    content = models.TextField(
        blank=True, editable=False, help_text=_("An uploaded file, to be worked out anew as time goes on.")
    )
    digest = models.CharField(max_length=64, blank=True, editable=False, help_text=_("SHA-256 of what was read last."))
    zone = models.CharField(
        _("time zone"), max_length=60, default="UTC", help_text=_("For times without one, where the file names none.")
    )
    transparent_locks = models.BooleanField(
        _("events that block no time lock"),
        default=False,
        help_text=_("What calendars show as free (TRANSP:TRANSPARENT): public holidays, reminders."),
    )
    notes = PhraseJSONField(default=list, editable=False, help_text=_("What repeats without end, what does not lock."))
    known_until = models.DateTimeField(null=True, blank=True, editable=False, help_text=_("How far it is worked out."))
    read_at = models.DateTimeField(null=True, blank=True, editable=False)
    tried_at = models.DateTimeField(null=True, blank=True, editable=False)
    outcome = models.CharField(max_length=20, choices=Outcome.choices, default=Outcome.UNREAD, editable=False)
    words = PhraseField(max_length=500, blank=True, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def server(self) -> str:
        """Where it is read from, as much as an admin may see."""
        return server_of(self.url)


class LockPeriodQuerySet(models.QuerySet[Any]):
    def touching(self, since: datetime, until: datetime) -> LockPeriodQuerySet:
        """Those that lock within [since, until), by index; with their calendars, but not what those hold."""
        near = self.filter(ends_at__gt=since, starts_at__lt=until)
        return near.select_related("calendar").defer("calendar__content")


class LockPeriod(models.Model):
    """One period of a calendar, worked out ahead so that nobody who looks at locks has to; no history."""

    calendar = models.ForeignKey(LockCalendar, on_delete=models.CASCADE, related_name="periods")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    title = models.CharField(max_length=200, blank=True)

    objects = LockPeriodQuerySet.as_manager()

    class Meta:
        ordering = ("starts_at", "ends_at")
        indexes = [
            models.Index(fields=("ends_at", "starts_at"), name="period_by_end"),
            models.Index(fields=("calendar", "ends_at"), name="period_by_calendar"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="a_period_ends_after_it_starts")
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def window(self) -> Window:
        return Window(self.starts_at, self.ends_at, self.name)

    @property
    def name(self) -> str:
        """The event's title, or the calendar's name where it has none."""
        return self.title or self.calendar.name


class IncidentSource(AuditedModel):
    """A GitLab project whose open issues with these labels lock changes: incidents, changes in progress."""

    unaudited_fields = frozenset({"read_at", "outcome", "words"})

    instance = models.ForeignKey(GitLabInstance, on_delete=models.PROTECT, related_name="incident_sources")
    path = models.CharField(_("project"), max_length=255, help_text=_("Full path: group/production."))
    labels = models.JSONField(default=incident_labels, help_text=_("An open issue with any of these locks changes."))
    open_issues = models.JSONField(
        default=list, editable=False, help_text=_("Numbers and labels; titles stay in GitLab.")
    )
    read_at = models.DateTimeField(null=True, blank=True, editable=False)
    outcome = models.CharField(max_length=20, choices=Outcome.choices, default=Outcome.UNREAD, editable=False)
    words = PhraseField(max_length=500, blank=True, editable=False)

    class Meta:
        ordering = ("instance", "path")
        constraints = [models.UniqueConstraint(fields=("instance", "path"), name="incident_source_once")]

    def __str__(self) -> str:
        return self.path
