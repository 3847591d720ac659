"""The admin site: open to managers, approvers and admins, by role and not by ``is_staff``."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode

from ..rules.machine import Role


class PortalAdminSite(admin.AdminSite):
    site_header = "Rollouts: admin"
    site_title = "Rollouts"
    index_title = "Everything that is data"
    site_url = "/"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        from ..models import roles  # models are not loaded yet when the site is named in the settings

        return bool(roles.of(request.user) - {Role.VIEWER})

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Nobody signed in: the portal's own sign-in. Somebody without a role: a plain no."""
        if request.user.is_authenticated:
            words = "The admin is for managers, approvers and admins."
            return render(request, "403.html", {"words": words}, status=403)
        return HttpResponseRedirect(f"{reverse('login')}?{urlencode({'next': request.get_full_path()})}")


class PortalAdminConfig(AdminConfig):
    default_site = "rollouts.admin.site.PortalAdminSite"
