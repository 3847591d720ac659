"""Users and groups: who has which role is history too."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse

from ..audit.deeds import Deed
from ..rules.machine import Role
from .base import AuditedAdmin

admin.site.unregister(User)
admin.site.unregister(Group)


class NotedAdmin(AuditedAdmin):
    """Notes what Django's own models do not tell the ledger."""

    def state(self, thing: Any) -> dict[str, Any]:
        raise NotImplementedError

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        thing = super().get_object(request, object_id, from_field)
        if thing is not None and not hasattr(request, "state_before"):
            request.state_before = (thing.pk, self.state(thing))  # type: ignore[attr-defined]
        return thing

    def complete_deed(self, doing: Deed, request: HttpRequest) -> None:
        """After everything is saved, groups and permissions too."""
        thing = doing.about
        if thing is None or thing.pk is None:
            return
        pk, before = getattr(request, "state_before", (None, {}))
        doing.note(thing, before if pk == thing.pk else {}, self.state(type(thing)._default_manager.get(pk=thing.pk)))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        doing, before = request.deed, self.state(obj)  # type: ignore[attr-defined]
        doing.note(obj, before, {})
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for thing in queryset:
            self.delete_model(request, thing)


@admin.register(User)
class PersonAdmin(NotedAdmin, UserAdmin):
    list_display = ("username", "first_name", "last_name", "email", "roles", "is_active", "last_login")
    list_filter = ("groups", "is_active")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Role", {"fields": ("groups", "is_active", "is_superuser")}),
    )
    filter_horizontal = ("groups",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def state(self, thing: User) -> dict[str, Any]:
        return {
            "username": thing.username,
            "name": thing.get_full_name(),
            "email": thing.email,
            "is_active": thing.is_active,
            "is_superuser": thing.is_superuser,
            "groups": sorted(group.name for group in thing.groups.all()),
        }

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all()) or Role.VIEWER.value

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        def change() -> HttpResponse:
            response = UserAdmin.user_change_password(self, request, id, form_url)
            if response.status_code == 302:
                thing = User.objects.get(pk=id)
                doing = request.deed  # type: ignore[attr-defined]
                doing.about, doing.notes["password"] = thing, "set anew"
            return response

        return self._done(request, "admin.password", change, id)


@admin.register(Group)
class RoleAdmin(NotedAdmin, GroupAdmin):
    """The four roles are made by a migration; other groups are for later."""

    def state(self, thing: Group) -> dict[str, Any]:
        return {"name": thing.name, "permissions": sorted(p.codename for p in thing.permissions.all())}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_role = obj is not None and obj.name in {role.value for role in Role}
        return super().has_delete_permission(request, obj) and not is_role

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_role = obj is not None and obj.name in {role.value for role in Role}
        return super().has_change_permission(request, obj) and not is_role
