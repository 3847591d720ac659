"""People, their roles, and whom too many wrong passwords have locked out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    AdminUserCreationForm,
    SetUnusablePasswordMixin,
    UserChangeForm,
)
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _

from ..audit.actor import Actor
from ..audit.recording import Recording
from ..rules.machine import ROLE_WORDS, Role
from ..rules.phrases import spoken
from ..services import accounts
from . import access_actions
from .base import ForeignAdmin, LookOnly

ROLES_HELP = _(
    "viewer reads; manager plans, ticks, requests, starts and rolls back; approver approves or rejects; "
    "admin does all of it and configures. Without a role a person is a viewer."
)


class PersonForm(UserChangeForm):
    def clean(self) -> dict[str, Any]:
        """Nobody locks the last door behind themselves."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.is_own:
            stays = cleaned.get("is_active", True) and (
                cleaned.get("is_superuser") or any(group.name == Role.ADMIN for group in cleaned.get("groups", ()))
            )
            if not stays:
                raise ValidationError(_("You can't take the role admin from yourself: ask another admin."))
        return cleaned

    is_own = False


class NewPersonForm(AdminUserCreationForm):
    def clean_username(self) -> str:
        """The form says it beside the field; ``services.account_doors`` would refuse it anyway."""
        name: str | None = super().clean_username()
        if name is None:  # taken: Django has said so
            return ""
        try:
            return accounts.free_name(name)
        except ValueError as wrong:
            raise ValidationError(spoken(wrong.args[0])) from None


class PersonPasswordForm(AdminPasswordChangeForm):
    usable_password_help_text: Any = format_lazy(
        '{}<ul id="id_unusable_warning" class="messagelist"><li class="warning">{}</li></ul>',
        SetUnusablePasswordMixin.usable_password_help_text,
        _("If disabled, the current password for this user will be lost."),
    )


class RoleFilter(admin.SimpleListFilter):
    title, parameter_name = gettext_lazy("role"), "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*((role.value, ROLE_WORDS[role.value]) for role in Role), ("none", gettext_lazy("without a role"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "none":
            return queryset.filter(groups=None, is_superuser=False)
        return queryset.filter(groups__name=self.value()) if self.value() else queryset


class PersonAdmin(ForeignAdmin, UserAdmin):
    """History and four eyes tell people apart by user name, so that stays, and nobody is deleted: deactivate them."""

    form = PersonForm
    add_form = NewPersonForm
    change_password_form = PersonPasswordForm
    bulk = access_actions.PEOPLE
    may_delete = False
    secret_fields = frozenset({"password", "last_login"})
    list_display = ("username", "roles", "first_name", "last_name", "email", "is_active", "last_login")
    list_filter = (RoleFilter, "is_active", "is_superuser")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("The person"), {"fields": ("first_name", "last_name", "email")}),
        (_("Role"), {"fields": ("groups", "is_superuser", "is_active")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description=_("role"))
    def roles(self, person: User) -> str:
        names = [group.name for group in person.groups.all()]
        return ", ".join(["superuser"] if person.is_superuser else names) or "viewer"

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return ("username", "last_login", "date_joined") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return ((None, {"fields": ("username",)}), *fieldsets[1:])

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.is_own = obj is not None and obj.pk == request.user.pk
        return form

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs |= {"widget": forms.CheckboxSelectMultiple, "label": _("Roles"), "help_text": ROLES_HELP}
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        """What follows is told by ``services.account_doors``: the person's own password next, tokens and feeds end."""
        if request.method != "POST":
            return super().user_change_password(request, id, form_url)
        with self.recording(request, "admin.change") as recording:
            answer = super().user_change_password(request, id, form_url)
            recording.about = User.objects.filter(pk=id).first() if id.isdecimal() else None
        self._tell_what_ended(request, recording)
        return answer

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        answer = super().changeform_view(request, *args, **kwargs)
        if (recording := getattr(request, "recording", None)) is not None:
            self._tell_what_ended(request, recording)
        return answer

    def _tell_what_ended(self, request: HttpRequest, recording: Recording) -> None:
        ended = [
            change
            for change in recording.change_log.changes
            if {"revoked_because", "ended_because"} & set(change.after)
        ]
        if ended:
            words = _("With it ended: %(things)s.") % {"things": ", ".join(spoken(change.title) for change in ended)}
            self.message_user(request, words, messages.WARNING)


class MembersInline(LookOnly, admin.TabularInline):
    model = User.groups.through
    verbose_name_plural = _("people with this role")
    fields = readonly_fields = ("person",)

    @admin.display(description=_("person"))
    def person(self, membership: Any) -> str:
        return str(membership.user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user")


class RoleAdmin(ForeignAdmin):
    """The four roles: the portal goes by their names, so they stay. Give them to people on the people's pages."""

    may_add = may_change = may_delete = False
    list_display = ("name", "members")
    fields = ("name",)
    inlines = (MembersInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("user_set")

    @admin.display(description=_("people"))
    def members(self, role: Group) -> str:
        return ", ".join(sorted(user.get_username() for user in role.user_set.all())) or gettext("nobody")


class AccessAttemptAdmin(ForeignAdmin):
    """Wrong passwords. Deleting an entry lets the person try again at once."""

    may_add = may_change = False
    secret_fields = frozenset({"get_data", "post_data", "http_accept"})
    list_display = ("whose", "ip_address", "failures_since_start", "attempt_time")
    fields = ("whose", "ip_address", "failures_since_start", "attempt_time", "user_agent", "path_info")
    search_fields = ("username", "ip_address")
    date_hierarchy = "attempt_time"
    readonly_fields = ("whose",)

    @admin.display(description=_("name"), ordering="username")
    def whose(self, attempt: Any) -> str:
        """What was typed for a name that is nobody's is not kept: it may be a password."""
        return gettext("nobody's") if (attempt.username or "?").startswith("?") else attempt.username

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return Actor.of(request.user).person.has(Role.ADMIN)

    has_module_permission = has_view_permission
