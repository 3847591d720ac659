"""Every address that the portal answers, from its own table of addresses: a page added later is there by itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.urls import URLPattern, URLResolver, get_resolver

from rollouts import models
from rollouts.rules.machine import PHASE_VERBS, ROLLOUT_VERBS

#: The names of parts of addresses, and what there is to put in: all of it is tried.
VERBS = (*PHASE_VERBS, *ROLLOUT_VERBS, "cancel", "again")
MOST = 2


def every_address(world: Any, verbs: tuple[str, ...] = VERBS) -> dict[str, list[str]]:
    """Route to concrete addresses, for what there is in the world; routes that nothing fits have none."""
    return {route: sorted(set(_filled(route, keys, world, verbs))) for route, keys in _routes(get_resolver())}


def _routes(resolver: URLResolver, before: str = "", keys: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    for pattern in resolver.url_patterns:
        route, known = before + str(pattern.pattern), (*keys, *pattern.pattern.converters)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern, route, known)
        elif isinstance(pattern, URLPattern) and not pattern.pattern.regex.pattern.startswith("(?P<url>"):
            yield route, list(known)


def _filled(route: str, keys: list[str], world: Any, verbs: tuple[str, ...]) -> Iterator[str]:
    choices = [[str(one) for one in (verbs if key == "verb" else _choices(key, route, world))] for key in keys]
    for chosen in product(*choices):
        address = route
        for key, value in zip(keys, chosen, strict=True):
            start = address.index("<")
            end = address.index(">", start)
            assert address[start:end].endswith(key)
            address = f"{address[:start]}{value}{address[end + 1 :]}"
        yield f"/{address}"


def _choices(key: str, route: str, world: Any) -> list[Any]:
    if key == "slug":
        kind = models.AIModel if route.startswith("models/") else models.Rollout
        return list(kind.objects.values_list("slug", flat=True)[:MOST])
    if key == "phase":
        return ["team", "company", "everyone"]
    if key == "name" and route.startswith("people/"):
        return list(get_user_model().objects.order_by("pk").values_list("username", flat=True))
    if key == "name":
        return ["gitlab", world.plan["flag"]]
    if key in ("app_label", "content_type_id"):
        return ["rollouts"]
    return list(dict.fromkeys(pk for kind in _kinds(route) for pk in kind.objects.values_list("pk", flat=True)[:MOST]))


def _kinds(route: str) -> list[Any]:
    """Whose number may stand in this address: in the admin it says so itself."""
    _, _, told = route.partition("admin/")
    app, _, rest = told.partition("/")
    name, _, _ = rest.partition("/")
    if app in apps.app_configs and name in apps.get_app_config(app).models:
        return [apps.get_model(app, name)]
    return list(apps.get_app_config("rollouts").get_models())
