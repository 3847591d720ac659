"""What is known of GitLab: instances, projects, people, issues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..rules.bindings import DEFAULT, HOOK_SECRET, HOOK_SIGNING_TOKEN, TOKEN, variable
from ..rules.datetimes import day_in_words
from ..rules.names import without_userinfo
from ..rules.phrases import say
from . import bindings
from .change_log import AuditedModel, AuditedQuerySet
from .phrase_fields import PhraseField

if TYPE_CHECKING:
    from datetime import datetime


class Outcome(models.TextChoices):
    """How asking GitLab for something ended."""

    UNREAD = "unread", say("not read yet")
    OK = "ok", say("read")
    NOT_FOUND = "not_found", say("not found (404)")
    UNAUTHORIZED = "unauthorized", say("token refused (401)")
    FORBIDDEN = "forbidden", say("forbidden (403)")
    RATE_LIMITED = "rate_limited", say("rate limit (429)")
    SERVER_ERROR = "server_error", say("GitLab failed (5xx)")
    TIMEOUT = "timeout", say("no answer in time")
    CONNECTION_REFUSED = "connection_refused", say("not reachable")
    BAD_ANSWER = "bad_answer", say("answer not understood")


class InstanceQuerySet(AuditedQuerySet):
    def followed(self) -> InstanceQuerySet:
        """Those that are not retired."""
        return self.filter(retired_at=None)


class GitLabInstance(AuditedModel):
    """A GitLab that the portal reads. Address and secrets are the environment's, bound to each other by the name."""

    unaudited_fields = frozenset({"flags_read_at", "flags_outcome", "flags_words"})

    name = models.SlugField(unique=True, help_text=_("One of the names that the environment binds to an address."))
    url = models.URLField(
        blank=True,
        editable=False,
        help_text=_("As GITLAB_URL or GITLAB_INSTANCES binds it to the name. Empty: not connected."),
    )
    retired_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("Since when nothing is asked of it any more.")
    )
    rate_share = models.PositiveSmallIntegerField(
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("Percent of GitLab's rate limit that the portal may use, all workers together."),
    )
    calls_a_minute = models.PositiveIntegerField(
        _("calls per minute"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Never more than this, whatever GitLab allows. Empty: only GitLab's own limit counts."),
    )
    flags_read_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("When the instance's flags were last read.")
    )
    flags_outcome = models.CharField(
        max_length=20, choices=Outcome.choices, default=Outcome.UNREAD, editable=False, help_text=_("How that ended.")
    )
    flags_words = PhraseField(max_length=500, blank=True, editable=False, help_text=_("What went wrong, and the cure."))

    objects = InstanceQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("name",)
        verbose_name = _("GitLab instance")
        verbose_name_plural = _("GitLab instances")

    def __str__(self) -> str:
        return self.name

    @property
    def why_not_asked(self) -> str:
        """Why nothing is sent there, with the cure; empty where it may be asked."""
        bound = bindings.url_of(self.name)
        if self.retired_at:
            return say(
                "{name} was retired on {day}: nothing is asked of it. An admin can take it up again.",
                name=self.name,
                day=day_in_words(self.retired_at.date()),
            )
        if not self.url and not bound:
            return say("No GitLab is connected: set GITLAB_URL and GITLAB_TOKEN.")
        if self.url and self.url == bound:
            return ""
        setting = "GITLAB_URL" if self.name == DEFAULT else "GITLAB_INSTANCES"
        if bound:
            return say(
                "{setting} binds {name} to {bound} and not to {url}: it is not asked, and gets no token.",
                setting=setting,
                name=self.name,
                bound=bound,
                url=without_userinfo(self.url) or say("nothing"),
            )
        url = without_userinfo(self.url) or "https://…"
        return say(
            "The environment binds no address to the name {name}, so {url} is not asked and gets no token. "
            "Set {setting}={pair} and its token as {token}, and start the portal again; or retire the instance.",
            name=self.name,
            url=url,
            setting=setting,
            pair=url if self.name == DEFAULT else f"{self.name}={url}",
            token=self.token_variable,
        )

    @property
    def is_asked(self) -> bool:
        """Whether anything may be sent there: it is not retired, and at the address that its name is bound to."""
        return not self.why_not_asked

    @property
    def token_variable(self) -> str:
        return variable(TOKEN, self.name)

    @property
    def hook_secret_variable(self) -> str:
        return variable(HOOK_SECRET, self.name)

    @property
    def hook_signing_variable(self) -> str:
        return variable(HOOK_SIGNING_TOKEN, self.name)

    @property
    def token(self) -> str:
        """The token from the environment, empty if there is none or nothing may be sent to this address."""
        return self._secret(TOKEN)

    @property
    def hook_secret(self) -> str:
        """What its webhooks send as ``X-Gitlab-Token``, empty if there is none."""
        return self._secret(HOOK_SECRET)

    @property
    def hook_signing_token(self) -> str:
        """The signing token of its webhooks (``whsec_…``), empty if there is none."""
        return self._secret(HOOK_SIGNING_TOKEN)

    def _secret(self, which: str) -> str:
        return bindings.value(which, self.name) if self.is_asked else ""

    @property
    def api_url(self) -> str:
        return f"{self.url.rstrip('/')}/api/v4"


class ProjectQuerySet(AuditedQuerySet):
    def at(self, instance: GitLabInstance, path: str) -> GitLabProject:
        """The row of the project that is called so, or was; made where there is none."""
        project: GitLabProject = self.get_or_create(instance=instance, path=path)[0]
        while project.successor is not None:
            project = project.successor
        return project


class GitLabProject(AuditedModel):
    """A project whose issues or flags are followed, and how reading it last ended.

    One that turned out to be another under its former path has that as its successor, and is read no more.
    """

    unaudited_fields = frozenset(
        {
            "issues_read_at",
            "issues_outcome",
            "issues_words",
            "flags_read_at",
            "flags_outcome",
            "flags_words",
        }
    )

    instance = models.ForeignKey(GitLabInstance, on_delete=models.PROTECT, related_name="projects")
    path = models.CharField(max_length=255, help_text=_("Full path: group/subgroup/project."))
    gitlab_id = models.PositiveBigIntegerField(
        _("GitLab's id"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Learned with the first reading: a project that is moved or renamed keeps it."),
    )
    issues_read_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("When issues were last read.")
    )
    issues_outcome = models.CharField(max_length=20, choices=Outcome.choices, default=Outcome.UNREAD, editable=False)
    issues_words = PhraseField(max_length=500, blank=True, editable=False)
    flags_read_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("When flags were last read.")
    )
    flags_outcome = models.CharField(max_length=20, choices=Outcome.choices, default=Outcome.UNREAD, editable=False)
    flags_words = PhraseField(max_length=500, blank=True, editable=False)

    successor = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="predecessors",
        help_text=_("The row of the same project under its present path."),
    )

    objects = ProjectQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("instance", "path")
        verbose_name = _("GitLab project")
        verbose_name_plural = _("GitLab projects")
        constraints = [
            models.UniqueConstraint(fields=("instance", "path"), name="project_once_per_instance"),
            models.UniqueConstraint(fields=("instance", "gitlab_id"), name="project_id_once_per_instance"),
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def address(self) -> str | int:
        """How GitLab is asked for it: by its id once that is known, for paths change hands."""
        return self.gitlab_id or self.path


class GitLabActor(AuditedModel):
    """An actor named in a plan (``user:alice``) and what GitLab calls it (``User:42``): resolved once and kept."""

    unaudited_fields = frozenset({"asked_at"})

    instance = models.ForeignKey(GitLabInstance, on_delete=models.PROTECT, related_name="actors")
    name = models.CharField(
        max_length=300, help_text=_("As the plan names it: user:alice, group:acme/code, project:a/b.")
    )
    gitlab_id = models.CharField(
        max_length=100,
        blank=True,
        help_text=_("As GitLab's gates name it: User:42. Empty: GitLab does not know it (yet)."),
    )
    asked_at = models.DateTimeField(null=True, blank=True, editable=False, help_text=_("When GitLab was last asked."))

    class Meta:
        ordering = ("instance", "name")
        verbose_name = _("GitLab actor")
        verbose_name_plural = _("GitLab actors")
        constraints = [models.UniqueConstraint(fields=("instance", "name"), name="actor_once_per_instance")]

    def __str__(self) -> str:
        return say("{name} ({id})", name=self.name, id=str(self.gitlab_id or say("unknown")))


class TrackedIssue(AuditedModel):
    """A GitLab issue that the portal follows. Of a confidential one everybody sees that it is there, and its state.

    What it says, who works on it and how much is said need a role to see.
    """

    confidential_fields = frozenset(
        {"title", "labels", "assignees", "author", "task_count", "task_done", "notes_count"}
    )

    project = models.ForeignKey(GitLabProject, on_delete=models.PROTECT, related_name="issues")
    iid = models.PositiveIntegerField(_("number"), help_text=_("The number in the issue's address."))
    title = models.CharField(max_length=1024, blank=True)
    state = models.CharField(max_length=20, blank=True, help_text=_("opened or closed, as GitLab says."))
    confidential = models.BooleanField(default=True, help_text=_("Confidential until GitLab says otherwise."))
    labels = models.JSONField(default=list, blank=True)
    assignees = models.JSONField(default=list, blank=True, help_text=_("User names in GitLab."))
    author = models.CharField(max_length=255, blank=True)
    task_count = models.PositiveIntegerField(default=0)
    task_done = models.PositiveIntegerField(default=0)
    notes_count = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True, help_text=_("When the issue last changed in GitLab."))
    closed_at = models.DateTimeField(null=True, blank=True)
    moved_to_id = models.PositiveBigIntegerField(null=True, blank=True)
    found = models.BooleanField(default=False, help_text=_("GitLab showed it when it was last asked."))
    successor = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="predecessors",
        help_text=_("The issue that it became when it was moved to another project."),
    )
    first_read_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When GitLab first answered for this issue.")
    )

    class Meta:
        ordering = ("project", "iid")
        constraints = [
            models.UniqueConstraint(fields=("project", "iid"), name="issue_once_per_project"),
            models.CheckConstraint(condition=Q(task_done__lte=models.F("task_count")), name="tasks_done_within_count"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """``group/project#12``: says where, not what."""
        return f"{self.project.path}#{self.iid}"

    @property
    def url(self) -> str:
        return f"{self.project.instance.url.rstrip('/')}/{self.project.path}/-/issues/{self.iid}"

    @property
    def read_at(self) -> datetime | None:
        """When GitLab was last asked for it and answered, whatever it said."""
        return self.project.issues_read_at if self.first_read_at else None

    def title_for(self, *, sees_confidential: bool) -> str:
        """The title, or that it is confidential."""
        if self.confidential and not sees_confidential:
            return say("confidential issue") if self.first_read_at else say("issue not read yet")
        return self.title
