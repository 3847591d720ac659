"""Every page that there is, found in the table of addresses: a page that somebody adds is walked too."""

from __future__ import annotations

from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, reverse

from rollouts.models import Rollout
from rollouts.portal import urls

#: Pages of one's own account that stand beside the portal's, and somebody else's page.
OF_THE_ACCOUNT = (
    "/accounts/again/",
    "/people/sam/",
    "/people/?q=nobody",
)


def portal_pages(user, slug: str = "haiku") -> list[str]:
    """Addresses of the portal that answer this person with a page."""
    rollout = Rollout.objects.select_related("flag", "ai_model").get(slug=slug)
    known = {"slug": slug, "phase": "everyone", "verb": "advance", "pk": rollout.flag.pk, "name": user.get_username()}
    found = []
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        values = {name: known[name] for name in pattern.pattern.converters if name in known}
        if pattern.name and pattern.name.startswith("model"):
            values = {"slug": rollout.ai_model.slug} if values else {}
        if len(values) == len(pattern.pattern.converters):
            found.append(reverse(f"portal:{pattern.name}", kwargs=values))
    return _only_pages(user, [*dict.fromkeys(found), *OF_THE_ACCOUNT, f"/flags/{rollout.flag.pk}/?actor=User:1"])


def admin_pages() -> list[str]:
    """The admin's lists, one object of each with its history, and the form for a new one; some are closed to all."""
    found = ["/admin/"]
    for model in admin.site._registry:
        names = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found += [reverse(f"{names}_changelist"), reverse(f"{names}_add")]
        if (first := model._default_manager.first()) is not None:
            found += [reverse(f"{names}_change", args=[first.pk]), reverse(f"{names}_history", args=[first.pk])]
    return found


def _only_pages(user, paths: list[str]) -> list[str]:
    """Without what only takes a POST, and without feeds and exports."""
    client = Client()
    client.force_login(user)
    answers = {path: client.get(path) for path in paths}
    assert all(answer.status_code < 500 for answer in answers.values())
    is_page = "text/html"
    return [p for p, a in answers.items() if a.status_code == 200 and a["Content-Type"].startswith(is_page)]
