"""API tokens and feed keys: who has which, and the way to revoke one. Their texts are nowhere."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import ApiToken, FeedKey, clock
from . import access_actions
from .base import RecordsOnly, is_admin


class OnesOwn(RecordsOnly):
    """Admins see everybody's, all others their own."""

    list_select_related = ("person__account",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset = super().get_queryset(request)
        return queryset if is_admin(request) else queryset.filter(person_id=request.user.pk)


class ApiTokenAdmin(OnesOwn):
    """Admins see everybody's tokens and revoke them; making one is its person's, on the page «Your account»."""

    bulk = access_actions.TOKENS
    list_display = ("name", "person", "prefix", "state", "created_at", "last_used_at", "expires_at", "revoked_at")
    search_fields = ("name", "person__username", "prefix")
    search_help_text = _("Name, person or first characters.")
    ordering = ("-pk",)
    fields = (
        "person", "name", "prefix", "state", "made_by", "created_at", "last_used_at", "expires_at", "revoked_at"
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=_("works"))
    def state(self, token: ApiToken) -> str:
        if token.opens_at(clock.now()):
            return gettext("yes")
        if token.revoked_at:
            why = token.get_revoked_because_display() if token.revoked_because else ""
            return gettext("no: revoked, for %(why)s") % {"why": why} if why else gettext("no: revoked")
        if not token.person.is_active:
            return gettext("no: its person is switched off")
        return gettext("no: its person must set a password first") if token.waits else gettext("no: expired")


class FeedKeyAdmin(OnesOwn):
    """Admins see whose feeds are open and may end them; everybody makes and renews their own on the timeline."""

    bulk = access_actions.FEEDS
    list_display = ("person", "is_open", "made_at", "ended_at", "ended_because")
    search_fields = ("person__username",)
    search_help_text = _("Name of the person.")
    ordering = ("-made_at",)
    fields = ("person", "made_at", "ended_at", "ended_because")
    readonly_fields = fields

    @admin.display(description=_("open"), boolean=True)
    def is_open(self, key: FeedKey) -> bool:
        return key.is_open
