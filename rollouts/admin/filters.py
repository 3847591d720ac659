"""Filters of lists that are questions, not fields."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from ..models import clock
from ..rules.machine import ROLE_WORDS, Role


class PlanFilter(admin.SimpleListFilter):
    """Flags with and without a rollout."""

    title, parameter_name = gettext_lazy("plan"), "plan"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("with", gettext_lazy("with a rollout")), ("without", gettext_lazy("without a rollout"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in ("with", "without"):
            return queryset.filter(rollouts__isnull=self.value() == "without").distinct()
        return queryset


class RoleFilter(admin.SimpleListFilter):
    title, parameter_name = gettext_lazy("role"), "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*((role.value, ROLE_WORDS[role.value]) for role in Role), ("none", gettext_lazy("without a role"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "none":
            return queryset.filter(groups=None, is_superuser=False)
        return queryset.filter(groups__name=self.value()) if self.value() else queryset


class ReviewFilter(admin.SimpleListFilter):
    """Reviews that overrides owe."""

    title, parameter_name = gettext_lazy("review"), "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("overdue", gettext_lazy("overdue")),
            ("open", gettext_lazy("owed")),
            ("closed", gettext_lazy("closed")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "overdue":
                return queryset.filter(reviewed_at=None, due_at__lt=clock.now())
            case "open" | "closed":
                return queryset.filter(reviewed_at__isnull=self.value() == "open")
        return queryset
