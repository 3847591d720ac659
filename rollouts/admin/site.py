"""The portal's admin site: open to managers, approvers, auditors and admins, each with the rights of their role."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin import site as default_site
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import resolve, reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext, gettext_lazy, gettext_noop

from . import page_help

NO_ENTRY = gettext_lazy(
    "The admin is for managers, approvers, auditors and admins. "
    "As a viewer you see everything on the portal's own pages."
)
#: The admin's first page, by what a person looks for.
ROOMS = (
    (gettext_noop("Rollouts"), "Rollout Phase ChecklistItem ApprovalRequest Override Waiver DriftCase MetricSample"),
    (gettext_noop("Change locks"), "ChangeLock LockCalendar IncidentSource"),
    (gettext_noop("What is rolled out"), "AIModel PlanTemplate"),
    (
        gettext_noop("GitLab"),
        "GitLabInstance GitLabProject FeatureFlag FlagReading TrackedIssue GitLabActor SyncRun GitLabWrite",
    ),
    (gettext_noop("People and history"), "User Group ApiToken FeedKey ChatRoom AccessAttempt AuditEvent"),
)


#: What comes in as files too.
IMPORTED = ("AIModel", "PlanTemplate")


class PortalAdminConfig(SimpleAdminConfig):
    """Puts our site in place of Django's; what is registered with it comes when it is asked for."""

    default_site = "rollouts.admin.site.PortalAdminSite"

    def ready(self) -> None:
        super().ready()
        default_site._setup()  # type: ignore[attr-defined] # Django checks the sites that there are


class PortalAdminSite(AdminSite):
    site_header = site_title = "Model Rollout Portal"
    index_title = gettext_lazy("Admin")
    site_url = "/"
    enable_nav_sidebar = False
    is_complete = False

    def complete(self) -> None:
        """Register our pages, after those of others that some of them replace.

        Only processes that serve or check pages come here. All others do without our admin, which imports half of the
        portal: that is why it is no module-level import, and Django's own autodiscovery is off.
        """
        if self.is_complete:
            return
        self.is_complete = True
        autodiscover_modules("admin", register_to=self)
        from . import registry

        registry.register_all()

    def check(self, app_configs: Any) -> list[Any]:
        self.complete()
        return super().check(app_configs)

    def has_permission(self, request: HttpRequest) -> bool:
        """By role, not by ``is_staff``: whoever has one besides viewer."""
        from ..audit.actor import Actor

        return Actor.of(request.user).may_open_admin

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Viewers are told why they stay outside; who is not signed in is sent to sign in."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def entrance(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.is_authenticated and not self.has_permission(request):
                from ..portal import refusals

                return refusals.in_words(request, NO_ENTRY, 403)
            answer: HttpResponse = inner(request, *args, **kwargs)
            return answer

        return entrance

    def get_urls(self) -> list[Any]:
        """Straight to the portal's sign-in, without a stop at the admin's own address for it."""
        self.complete()
        urls = super().get_urls()
        for url in urls:
            if hasattr(view := getattr(url, "callback", None), "login_url"):
                view.login_url = reverse_lazy(settings.LOGIN_URL)  # type: ignore[union-attr]
        return urls

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one page to sign in: the portal's."""
        if request.user.is_authenticated:
            return redirect("admin:index")
        return redirect(f"{_login_url()}?{urlencode({'next': request.GET.get('next', '/admin/')})}")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        from django.contrib.auth.views import LogoutView

        return LogoutView.as_view()(request)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """There is one page for one's own password, for viewers too: the portal's."""
        return resolve(reverse("portal:password")).func(request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """What needs an admin now, then everything that is data."""
        from . import todo

        return super().index(request, {"concerns": todo.concerns(), **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """By subject instead of by Django app."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        models = {model["object_name"]: model for app in apps for model in app["models"]}
        return [
            {
                "name": gettext(name),
                "app_label": name.split()[0].lower(),
                "app_url": "",
                "has_module_perms": True,
                "models": [_named(models[each]) for each in names.split() if each in models],
            }
            for name, names in ROOMS
        ]


def _named(model: dict[str, Any]) -> dict[str, Any]:
    """By the portal's word for it, with the way in for files."""
    words = page_help.of(model["model"])
    has_import = model["object_name"] in IMPORTED and model.get("add_url")
    url = reverse(f"admin:rollouts_{model['object_name'].lower()}_import") if has_import else ""
    return {**model, "name": words.title or model["name"], "import_url": url}


def _login_url() -> str:
    from django.shortcuts import resolve_url

    return str(resolve_url(settings.LOGIN_URL))
