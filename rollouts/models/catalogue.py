"""What is rolled out, and after which pattern: AI models and plan templates."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..rules.phrases import say
from .change_log import AuditedModel

if TYPE_CHECKING:
    from ..rules.template import Template


@lru_cache(maxsize=64)
def _parsed(document: str, source: str) -> Template:
    # Documents are read with pydantic, which takes as long to import as all models: whoever reads one imports it.
    from ..rules.template_document import parse_template

    return parse_template(document, source=source)


class AIModel(AuditedModel):
    """An AI model: provider, the provider's id, host, capability, quota."""

    slug = models.SlugField(max_length=120, unique=True, help_text=_("Short name in plans and addresses."))
    name = models.CharField(max_length=200)
    provider = models.CharField(max_length=100, blank=True, help_text=_("Who makes or sells it: Anthropic, Mistral."))
    provider_model_id = models.CharField(
        _("provider's id"), max_length=200, blank=True, help_text=_("The provider's id for it.")
    )
    host = models.CharField(max_length=100, blank=True, help_text=_("Where it runs: Vertex AI, Bedrock, Fireworks."))
    capability = models.CharField(max_length=100, blank=True, help_text=_("code_completion, code_generation …"))
    description = models.TextField(blank=True)
    quota_requests_per_minute = models.PositiveIntegerField(
        _("quota"), null=True, blank=True, help_text=_("Requests a minute that the provider grants. Empty: not known.")
    )
    quota_lead_time = models.DurationField(
        _("lead time of the quota"),
        null=True,
        blank=True,
        help_text=_("How long the provider takes to grant more. Empty: not known."),
    )
    deprecated_on = models.DateField(null=True, blank=True, help_text=_("The provider's deprecation date."))
    removal_version = models.CharField(max_length=20, blank=True, help_text=_("The release that removes it."))
    default_for = models.JSONField(default=list, blank=True, help_text=_("Features that use it by default."))
    selectable_for = models.JSONField(default=list, blank=True, help_text=_("Features where it can be chosen."))
    catalogue_identifier = models.CharField(
        max_length=200, blank=True, help_text=_("Its identifier in the AI Gateway's catalogue, if it came from there.")
    )

    class Meta:
        ordering = ("name", "host")
        verbose_name = _("AI model")
        constraints = [
            models.CheckConstraint(
                condition=Q(quota_requests_per_minute__isnull=True) | Q(quota_requests_per_minute__gt=0),
                name="quota_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(quota_lead_time__isnull=True) | Q(quota_lead_time__gte=timedelta(0)),
                name="lead_time_is_a_time",
            ),
            models.UniqueConstraint(
                fields=("catalogue_identifier",),
                condition=~Q(catalogue_identifier=""),
                name="catalogue_identifier_once",
            ),
        ]

    def __str__(self) -> str:
        if not self.host or self.host.lower() in self.name.lower():
            return self.name
        return say("{model} on {host}", model=self.name, host=self.host)


class PlanTemplate(AuditedModel):
    """A pattern of phases and checklist items that new rollouts take; the guide is the built-in one."""

    slug = models.SlugField(max_length=100, unique=True)
    title = models.CharField(max_length=200)
    document = models.TextField(help_text=_("Phases and checklist items as YAML."))
    builtin = models.BooleanField(
        default=False,
        editable=False,
        help_text=_("Comes with the portal and follows its releases. Copy it to change it."),
    )

    class Meta:
        ordering = ("title",)

    def __str__(self) -> str:
        return self.title

    @property
    def template(self) -> Template:
        """The document as the rules take it. Raises ``DocumentRefused``."""
        return _parsed(self.document, self.slug)

    def clean(self) -> None:
        from ..rules.document import DocumentRefused  # as in _parsed

        try:
            parsed = _parsed(self.document, self.slug or "template")
        except DocumentRefused as refused:
            raise ValidationError({"document": [str(fault) for fault in refused.faults]}) from None
        if parsed.slug != self.slug:
            raise ValidationError(
                {
                    "document": say(
                        "Its template is named {name}; the slug says {slug}.", name=parsed.slug, slug=self.slug
                    )
                }
            )
