"""AI models and plan templates."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..audit.actor import Actor
from ..models import AIModel, PlanTemplate
from ..portal.answers import download
from ..rules.document import DocumentRefused
from ..rules.model_sheet import dump_csv, dump_yaml
from ..rules.phrases import spoken
from ..services import choices, imports
from ..services.imports import Imported
from . import actions, template_preview
from .fields import LinesField
from .import_export import File, ImportExportAdmin, take_models, take_templates


class AIModelForm(forms.ModelForm):
    default_for = LinesField(required=False, help_text=gettext_lazy("Features that use it by default, one a line."))
    selectable_for = LinesField(required=False, help_text=gettext_lazy("Features where it can be chosen, one a line."))


class AIModelAdmin(ImportExportAdmin):
    import_words = gettext_lazy(
        "The AI Gateway's catalogue (models.yml, and with it unit_primitives.yml for what uses the models), or what "
        "this list exports as YAML or CSV. What a file does not mention stays as it is."
    )
    exports = (
        (gettext_lazy("Export as CSV"), "rollouts_aimodel_csv"),
        (gettext_lazy("Export as YAML"), "rollouts_aimodel_yaml"),
    )
    form = AIModelForm
    bulk = actions.MODELS
    list_display = ("name", "provider", "host", "capability", "carries", "deprecated_on", "part_in")
    list_filter = ("provider", "host", "capability")
    search_fields = ("name", "slug", "provider", "provider_model_id", "host")
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("catalogue_identifier",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "provider", "provider_model_id", "host", "capability", "description")}),
        (gettext_lazy("What it can carry"), {"fields": ("quota_requests_per_minute", "quota_lead_time")}),
        (gettext_lazy("Where it is used"), {"fields": ("default_for", "selectable_for")}),
        (gettext_lazy("Its end"), {"fields": ("deprecated_on", "removal_version")}),
        (gettext_lazy("Where it came from"), {"fields": ("catalogue_identifier",)}),
    )

    @admin.display(description=gettext_lazy("quota"), ordering="quota_requests_per_minute")
    def carries(self, model: AIModel) -> str:
        quota = model.quota_requests_per_minute
        return _("%(number)s a minute") % {"number": f"{quota:,}"} if quota else _("not known")

    def take(self, files: list[File], by: Actor) -> Imported:
        return take_models(files, by)

    def get_urls(self) -> list[Any]:
        ways = [
            path("export.csv", self.admin_site.admin_view(self.as_csv), name="rollouts_aimodel_csv"),
            path("export.yaml", self.admin_site.admin_view(self.as_yaml), name="rollouts_aimodel_yaml"),
        ]
        return [*ways, *super().get_urls()]

    def as_csv(self, request: HttpRequest) -> HttpResponseBase:
        return download("ai_models.csv", dump_csv(imports.export_models()), "text/csv")

    def as_yaml(self, request: HttpRequest) -> HttpResponseBase:
        return download("ai_models.yaml", dump_yaml(imports.export_models()), "application/yaml")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(rollout_count=Count("rollouts"))

    @admin.display(description=gettext_lazy("rollouts"), ordering="rollout_count")
    def part_in(self, model: Any) -> int:
        return int(model.rollout_count)

    def get_readonly_fields(self, request: HttpRequest, obj: AIModel | None = None) -> tuple[str, ...]:
        """Plans name a model by its slug: it stays."""
        return ("slug", *self.readonly_fields) if obj else self.readonly_fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: AIModel | None = None) -> dict[str, Any]:
        return {} if obj else dict(self.prepopulated_fields)


class PlanTemplateForm(forms.ModelForm):
    class Meta:
        model = PlanTemplate
        fields = ("slug", "title", "document")
        widgets = {
            "document": forms.Textarea(attrs={"rows": 34, "class": "code vLargeTextField", "spellcheck": "false"})
        }


class PlanTemplateAdmin(ImportExportAdmin):
    import_words = gettext_lazy("One template in each file, as YAML. A template of the same name is changed.")
    exports = ((gettext_lazy("Export all (zip of YAML)"), "rollouts_plantemplate_zip"),)
    form = PlanTemplateForm
    fields = ("title", "slug", "document")
    list_display = ("title", "slug", "builtin", "phases", "used_by")
    list_filter = ("builtin",)
    search_fields = ("title", "slug")
    change_form_template = "admin/plan_template.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(rollout_count=Count("rollouts"))

    @admin.display(description=gettext_lazy("phases"))
    def phases(self, template: PlanTemplate) -> str:
        try:
            return " → ".join(phase.title for phase in template.template.phases)
        except DocumentRefused as refused:
            return str(refused.faults[0])

    def take(self, files: list[File], by: Actor) -> Imported:
        return take_templates(files, by)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        ways = [
            path("export.zip", view(self.as_zip), name="rollouts_plantemplate_zip"),
            path("<int:pk>/export.yaml", view(self.as_yaml), name="rollouts_plantemplate_export"),
            path("preview/", view(self.preview_view), name="rollouts_plantemplate_preview"),
        ]
        return [*ways, *super().get_urls()]

    def as_yaml(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        template = get_object_or_404(PlanTemplate, pk=pk)
        return download(f"{template.slug}.yaml", template.document, "application/yaml")

    def as_zip(self, request: HttpRequest) -> HttpResponseBase:
        """One file for each template, as the import takes them."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for template in PlanTemplate.objects.order_by("slug"):
                archive.writestr(f"{template.slug}.yaml", template.document)
        return download("plan_templates.zip", packed.getvalue(), "application/zip")

    # The preview: beside the editor, and by a button where there is no JavaScript

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """The preview alone, of what stands in the editor; changes nothing."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        stored = request.POST.get("stored", "")
        template = PlanTemplate.objects.filter(pk=stored).first() if stored.isdecimal() and len(stored) < 10 else None
        shown = template_preview.of(
            request.POST.get("document", ""), slug=request.POST.get("slug", "")[:100], stored=template
        )
        return render(request, "admin/template_preview.html", {"preview": shown})

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """With ``_preview`` the page is shown again with what was written, and nothing is saved."""
        stored = PlanTemplate.objects.filter(pk=object_id).first() if object_id and object_id.isdecimal() else None
        if request.method == "POST" and "_preview" in request.POST:
            request.written = {name: request.POST.get(name, "") for name in ("title", "slug", "document")}  # type: ignore[attr-defined]
            request.method = "GET"
        written = getattr(request, "written", None)
        document = stored.document if stored else str(self.get_changeform_initial_data(request).get("document", ""))
        if written:
            document = written["document"]
        elif request.method == "POST":
            document = request.POST.get("document", document)
        shown = template_preview.of(document, slug=stored.slug if stored else "", stored=stored) if document else None
        return super().changeform_view(request, object_id, form_url, {"preview": shown, **(extra_context or {})})

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        written = getattr(request, "written", None)
        if not written:
            return form

        class Written(form):
            """Begins with what was written, not with what is stored."""

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **{**kwargs, "initial": written})

        return Written

    @admin.display(description=gettext_lazy("rollouts"), ordering="rollout_count")
    def used_by(self, template: Any) -> int:
        return int(template.rollout_count)

    def has_change_permission(self, request: HttpRequest, obj: PlanTemplate | None = None) -> bool:
        """The built-in ones follow the portal's releases."""
        return super().has_change_permission(request, obj) and not (obj and obj.builtin)

    def has_delete_permission(self, request: HttpRequest, obj: PlanTemplate | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.builtin)

    def get_readonly_fields(self, request: HttpRequest, obj: PlanTemplate | None = None) -> tuple[str, ...]:
        """Plans name a template by its slug: it stays once a rollout was made from it."""
        return ("slug",) if obj and obj.rollouts.exists() else ()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        known = [*PlanTemplate.objects.values_list("slug", flat=True)]
        if (copied := request.GET.get("copy")) and copied not in known:
            return self.not_understood(request, spoken(choices.refusal("copy", copied, known)))
        return super().add_view(request, form_url, extra_context)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """``?copy=slug`` begins with what another template says."""
        original = PlanTemplate.objects.filter(slug=request.GET.get("copy", "")).first()
        if original is None:
            return super().get_changeform_initial_data(request)
        slug = f"{original.slug}_copy"
        document = re.sub(r"(?m)^template:.*$", f"template: {slug}", original.document, count=1)
        return {"title": f"{original.title} (copy)", "slug": slug, "document": document}

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Deleted one at a time: the built-in ones would be among the chosen."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}
