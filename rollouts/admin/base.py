"""What all admin pages share: rights by role, and one audit event for each change in its own transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.admin.utils import unquote
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import models
from django.db.models import ProtectedError, RestrictedError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from ..audit.actor import Actor
from ..audit.recording import Recording, recorded
from ..models import Rollout, verbose_names
from ..models.change_log import AuditedModel
from ..models.keyset import WrongCursor
from ..portal.answers import SeeOther
from ..rules.machine import Role
from ..rules.phrases import spoken
from ..services import plans, rollout_work
from ..services.rollout_work import Work
from . import events, page_help
from .asked import AskedInWords
from .bulk import Bulk
from .fields import SpanField, bounded
from .readonly import InWords


def is_admin(request: HttpRequest) -> bool:
    return Actor.of(request.user).person.has(Role.ADMIN)


def may_look(request: HttpRequest) -> bool:
    return Actor.of(request.user).may_open_admin


class AuditedAdmin(AskedInWords):
    """Managers and approvers look, admins change; whatever changes is one recorded change with one event.

    Subclasses say with ``may_add``, ``may_change`` and ``may_delete`` what even an admin may not do here.
    """

    may_add = may_change = may_delete = True
    show_full_result_count = False
    list_per_page = 50
    formfield_overrides = {
        models.DurationField: {"form_class": SpanField},
        models.URLField: {"assume_scheme": "https"},
    }
    object_history_template = "admin/history.html"
    #: What can be done to many rows, each through its own service.
    bulk: tuple[Bulk, ...] = ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Fields that a form declares anew are called as the model's."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        for name, field in form.base_fields.items():
            if field.label is None and name in verbose_names.FIELDS:
                field.label = capfirst(verbose_names.FIELDS[name])  # lazy: fields of forms outlive the reader
        return form

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        queryset = super().get_queryset(request)
        related = self.list_select_related
        return queryset.select_related(*related) if isinstance(related, list | tuple) and related else queryset

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(db_field, models.DateField):
            field.validators = [*field.validators, bounded]
        return field

    # Rights, by role

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_look(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_look(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may_add and is_admin(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_change and is_admin(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_delete and is_admin(request)

    # One recorded change for each request that changes something

    @contextmanager
    def recording(self, request: HttpRequest, verb: str) -> Iterator[Recording]:
        with recorded(verb, by=Actor.of(request.user)) as recording:
            request.recording = recording  # type: ignore[attr-defined]
            yield recording

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        if request.method != "POST":
            return super().changeform_view(request, object_id, form_url, extra_context)
        with self.recording(request, "admin.change" if object_id else "admin.add"):
            if object_id:
                self.lock(object_id)
            return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        if request.method != "POST":
            return super().delete_view(request, object_id, extra_context)
        try:
            with self.recording(request, "admin.delete"):
                self.lock(object_id)
                return super().delete_view(request, object_id, extra_context)
        except (ProtectedError, RestrictedError) as error:
            return self._still_needed(request, error)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Only a deletion is one recorded change for all rows: of the bulk actions each row is a change by its own
        service.
        """
        words = page_help.of(self.model)
        extra_context = {
            "title": words.title or capfirst(self.opts.verbose_name_plural),
            "words_of_page": words.about,
            "words_when_empty": words.when_empty,
            **(extra_context or {}),
        }
        if request.method != "POST" or request.POST.get("action") != "delete_selected":
            return super().changelist_view(request, extra_context)
        try:
            with self.recording(request, "admin.delete"):
                return super().changelist_view(request, extra_context)
        except (ProtectedError, RestrictedError) as error:
            return self._still_needed(request, error)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The bulk actions that the person's role allows; who may do none gets no boxes to tick."""
        by = Actor.of(request.user)
        allowed = {bulk.name: (bulk.take, bulk.name, bulk.label) for bulk in self.bulk if bulk.is_for(by)}
        return {**super().get_actions(request), **allowed}

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """A page is named after its object, not after what may be done to it; what it only shows is said."""
        if (obj := context.get("original")) is not None:
            context |= {"title": spoken(str(obj)), "subtitle": None}
        context["adminform"] = InWords(context["adminform"])
        context["inline_admin_formsets"] = [InWords(inline) for inline in context["inline_admin_formsets"]]
        return super().render_change_form(request, context, *args, **kwargs)

    def _still_needed(self, request: HttpRequest, error: Any) -> HttpResponse:
        """For what began to need it between the question and the answer; else the page of the question says so."""
        needs = ", ".join(sorted({str(thing)[:80] for thing in list(error.args[1])[:5]}))
        words = _("Nothing was deleted: %(needs)s still needs it.") % {"needs": needs}
        self.message_user(request, words, messages.ERROR)
        return SeeOther("../" if request.path.endswith("/delete/") else request.get_full_path())

    def lock(self, object_id: str) -> None:
        """Nothing moves under an edit: the rollout is locked first, as transitions do, then the object itself."""
        try:
            pk = self.opts.pk.to_python(unquote(object_id))
        except (ValidationError, ValueError):
            return
        obj = self.model._default_manager.filter(pk=pk).first()
        if obj is not None:
            own = rollout_of(obj)
            rollout_work.lock([own.pk] if own else rollout_work.resting_on(obj))
            self.model._default_manager.filter(pk=pk).select_for_update(no_key=True).first()

    # What is written

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        recording = request.recording  # type: ignore[attr-defined]
        recording.about = obj
        recording.rollout = rollout_of(obj)

    #: Whether an edit here changes what an approval is for (``services.plans.edited``).
    is_about_the_plan = False

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        rollout = rollout_of(form.instance)
        if self.is_about_the_plan and rollout is not None and request.recording.change_log.changes:  # type: ignore[attr-defined]
            plans.edited(Work(request.recording, rollout.pk), Actor.of(request.user))  # type: ignore[attr-defined]

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        recording, own = request.recording, rollout_of(obj)  # type: ignore[attr-defined]
        if own is not None and recording.rollout is not None and recording.rollout != own:
            recording.concerns = [*recording.concerns, own]
        recording.rollout = recording.rollout or own
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """One by one, so that each stands in the event."""
        for obj in queryset:
            self.delete_model(request, obj)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The portal's own history says more than Django's admin log."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """See ``log_addition``."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """See ``log_addition``."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        try:
            page = events.of(
                obj,
                sees_confidential=Actor.of(request.user).sees_confidential,
                before=request.GET.get("before", ""),
            )
        except WrongCursor as wrong:
            return self.not_understood(request, spoken(str(wrong)))
        context = {
            **self.admin_site.each_context(request),
            "title": _("History of %(thing)s") % {"thing": spoken(str(obj))},
            "object": obj,
            "opts": self.opts,
            "module_name": self.opts.verbose_name_plural,
            "page": page,
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.object_history_template, context)


class ForeignAdmin(AuditedAdmin):
    """For Django's own models, which keep no change log: their changes are noted here, field by field."""

    #: Fields whose values never go into the history.
    secret_fields: frozenset[str] = frozenset()

    def as_it_is(self, obj: Any) -> dict[str, Any]:
        """Plain values of all fields, many-to-many by name."""
        values: dict[str, Any] = {
            field.name: _plain(getattr(obj, field.attname))
            for field in self.opts.concrete_fields
            if field.name not in self.secret_fields
        }
        values |= {field.name: sorted(map(str, getattr(obj, field.name).all())) for field in self.opts.many_to_many}
        return values

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        obj = form.instance
        super().save_related(request, form, formsets, change)
        before = request.as_it_was if change else {}  # type: ignore[attr-defined]
        now = self.as_it_is(obj)
        changed = {name for name, value in now.items() if before.get(name, ...) != value}
        request.recording.note(  # type: ignore[attr-defined]
            obj, {name: before[name] for name in changed if name in before}, {name: now[name] for name in changed}
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            request.as_it_was = self.as_it_is(self.model._default_manager.get(pk=obj.pk))  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        request.recording.note(obj, self.as_it_is(obj), {})  # type: ignore[attr-defined]
        super().delete_model(request, obj)


class LookOnly(InlineModelAdmin):
    """An inline that only shows."""

    extra = 0
    can_delete = False
    template = "admin/look_only.html"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_look(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RecordsOnly(AuditedAdmin):
    """Records of what happened: nobody adds, changes or deletes one here."""

    may_add = may_change = may_delete = False


def rollout_of(obj: Any) -> Rollout | None:
    """The rollout whose history an object belongs to."""
    if isinstance(obj, Rollout):
        return obj
    try:
        phase = getattr(obj, "phase", None)  # of a step, a request, an override
        return (
            getattr(obj, "rollout", None) or getattr(phase, "rollout", None) if isinstance(obj, AuditedModel) else None
        )
    except ObjectDoesNotExist:
        return None


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | bool | None) else str(value)
