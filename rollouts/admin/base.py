"""What every page of the admin shares: roles decide, and each change is one deed with one audit event."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, ProtectedError, RestrictedError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from ..audit.actor import Actor
from ..audit.deeds import Deed, deed
from ..models.ledger import current
from ..rules.machine import Role


def is_admin(request: HttpRequest) -> bool:
    return Actor.of(request.user).person.has(Role.ADMIN)


class ByRole:
    """Whoever may enter may look; only the role admin may change."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(Actor.of(request.user).roles - {Role.VIEWER})

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_admin(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_admin(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_admin(request)


class LookOnly:
    """For records that nobody makes, changes or deletes by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AuditedAdmin(ByRole, admin.ModelAdmin):
    """Saves, inlines, bulk actions and deletions each happen in one deed."""

    list_per_page = 50
    show_full_result_count = False

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        verb = "admin.change" if object_id else "admin.add"
        return self._done(request, verb, lambda: super(AuditedAdmin, self).changeform_view(
            request, object_id, form_url, extra_context
        ), object_id)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return self._done(request, "admin.delete", lambda: super(AuditedAdmin, self).delete_view(
            request, object_id, extra_context
        ), object_id)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return self._done(request, "admin.bulk", lambda: super(AuditedAdmin, self).changelist_view(
            request, extra_context
        ))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """One by one: a bulk delete would write no history."""
        for thing in queryset:
            thing.delete()

    def log_addition(self, *args: Any, **kwargs: Any) -> None:
        """Our own history says more than Django's log."""

    log_change = log_deletions = log_addition  # type: ignore[assignment]

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return HttpResponseRedirect("/audit/")

    def _done(self, request: HttpRequest, verb: str, view: Any, object_id: str | None = None) -> HttpResponse:
        if request.method != "POST" or current() is not None:
            return view()  # type: ignore[no-any-return]
        try:
            with deed(verb, by=Actor.of(request.user)) as doing:
                request.deed = doing  # type: ignore[attr-defined]
                response = view()
                self.complete_deed(doing, request)
                if hasattr(response, "render"):
                    response = response.render()
            return response  # type: ignore[no-any-return]
        except (ProtectedError, RestrictedError) as error:
            kept = ", ".join(sorted({str(thing)[:80] for thing in list(error.args[1])[:5]}))
            messages.error(request, f"Nothing was deleted: it is still used by {kept}.")
            return HttpResponseRedirect(request.get_full_path() if verb == "admin.bulk" else "../")

    def complete_deed(self, doing: Deed, request: HttpRequest) -> None:
        """A place to say what rollout the deed belongs to."""

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if (doing := getattr(request, "deed", None)) is not None:
            doing.about = obj

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        super().delete_model(request, obj)


class LookOnlyAdmin(LookOnly, AuditedAdmin):
    """A list and a page to look at."""


class LookOnlyInline(LookOnly, ByRole, admin.TabularInline):
    extra = 0
    can_delete = False
    show_change_link = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return ByRole.has_module_permission(self, request)
