"""What an address of the admin chooses and there is not: 422 with the choices, on every list and filter."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.admin import ChoicesFieldListFilter, SimpleListFilter
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from tests.portal.pages import words

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(world):
    world.up_to("team", "active")
    client = Client(raise_request_exception=False)
    client.force_login(world.people["root"])
    return client


def filters(person: User):
    """Each filter that offers choices known beforehand: the list's address, the name, and one that it offers."""
    for model, page in admin.site._registry.items():
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        request = RequestFactory().get(address)
        request.user = person
        for each in page.get_changelist_instance(request).filter_specs:
            match each:
                case SimpleListFilter():
                    yield address, each.parameter_name, each.lookup_choices[0][0]
                case ChoicesFieldListFilter():
                    yield address, each.lookup_kwarg, each.field.flatchoices[0][0]


def test_a_choice_that_there_is_not_is_refused_with_those_that_there_are(root, world):
    found = list(filters(world.people["root"]))
    assert {name for _address, name, _known in found} >= {"state__exact", "plan", "role", "review"}
    for address, name, known in found:
        refused = root.get(address, {name: "zz"})
        assert refused.status_code == 422, (address, name)
        assert f"There is no {name} «zz»." in words(refused), (address, name)
        assert str(known) in words(refused), (address, name)
        assert root.get(address, {name: known}).status_code == 200, (address, name)


def test_a_template_that_there_is_not_is_not_copied(root):
    refused = root.get("/admin/rollouts/plantemplate/add/?copy=nope")
    assert refused.status_code == 422
    assert "There is no copy «nope». There are: code_suggestions." in words(refused)
    assert root.get("/admin/rollouts/plantemplate/add/?copy=code_suggestions").status_code == 200
