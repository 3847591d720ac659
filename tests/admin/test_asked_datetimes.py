"""Moments in the addresses of admin lists: none ends a calendar, and what is none is refused in words."""

from __future__ import annotations

import html

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client

pytestmark = pytest.mark.django_db
NONE = ["9999-12-31", "9999-12-31 23:59:59", "0001-01-01", "10000-01-01", "never", "0001-01-01T00:00+14:00", ""]
NO_NUMBERS = {"year": ["0", "1", "9999", "10000", "9" * 20, "x", "-1"], "month": ["0", "13", "x"], "day": ["0", "32"]}
A_MOMENT = ["2026-11-01", "2026-11-01 14:00:00+00:00", "2026-11-01T14:00:00+01:00", "8999-12-30"]


def columns():
    """One list for each kind of column of time: the others share their code."""
    for model in admin.site._registry:
        for field in model._meta.get_fields():
            if isinstance(field, models.DateField):
                yield f"/admin/{model._meta.app_label}/{model._meta.model_name}/", field.name


@pytest.fixture
def root(world):
    world.up_to("team", "active")
    client = Client(raise_request_exception=False)
    client.force_login(world.people["root"])
    client.cookies["zone"] = "Pacific/Kiritimati"  # where each day begins first
    return client


def test_no_moment_breaks_a_list(root):
    found = list(columns())
    assert {path.split("/")[3] for path, _ in found} >= {"auditevent", "user", "accessattempt", "aimodel", "rollout"}
    for path, field in found:
        for name, value in ((f"{field}__gte", "9999-12-31"), (f"{field}__year", "9999")):
            response = root.get(path, {name: value})
            assert response.status_code == 422, (path, name, value)
            assert f"{name}: «{value}» is no" in html.unescape(response.content.decode())


@pytest.mark.parametrize(
    ("path", "field"), [("auditevent", "at"), ("flagreading", "read_at"), ("aimodel", "deprecated_on")]
)
def test_each_way_to_ask_for_a_moment_is_bounded(root, path, field):
    asked = [(f"{field}__{how}", value) for how in ("gte", "lt", "exact", "date", "range") for value in NONE]
    asked += [(f"{field}__{part}", value) for part, values in NO_NUMBERS.items() for value in values]
    asked += [(field, "never"), (f"{field}__range", "2026-11-01,9999-12-31"), (f"{field}__date__gte", "9999-12-31")]
    for name, value in asked:
        assert root.get(f"/admin/rollouts/{path}/", {name: value}).status_code == 422, (name, value)
    fine = [
        (f"{field}__{how}", value)
        for how in ("gte", "lt")
        for value in A_MOMENT
        if path != "aimodel" or ":" not in value
    ]
    fine += [(f"{field}__year", "2026"), (f"{field}__month", "11"), (f"{field}__isnull", "True")]
    for name, value in fine:
        assert root.get(f"/admin/rollouts/{path}/", {name: value}).status_code == 200, (name, value)


@pytest.mark.parametrize("query", ["rollout=x", "rollout__nothing=1", "id__gte=x"])
def test_what_a_list_can_not_be_asked_is_said_and_not_left_out(root, query):
    response = root.get(f"/admin/rollouts/auditevent/?{query}")
    assert response.status_code in (400, 422)
    assert response.content
