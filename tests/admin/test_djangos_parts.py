"""What Django's admin brings with its next release comes through: no block of it is emptied, nothing of it replaced."""

import re
from pathlib import Path

import django.contrib.admin
import pytest
from django.conf import settings
from django.contrib.admin import helpers
from django.template import defaultfilters
from django.utils import translation

from tests.portal.pages import signed_in

DJANGOS = Path(django.contrib.admin.__file__).parent / "templates" / "admin"
OURS = settings.ROOT / "templates" / "admin"
SHEET = re.compile(r"admin/css/(\w+)[.\w]*\.css")
LINKED = {
    "/admin/": "index.html",
    "/admin/rollouts/aimodel/": "change_list.html",
    "/admin/rollouts/aimodel/add/": "change_form.html",
}


@pytest.mark.parametrize("page", sorted(path.name for path in OURS.glob("*.html")))
def test_no_block_of_djangos_is_emptied(page):
    theirs = {name for path in DJANGOS.rglob("*.html") for name in re.findall(r"{% block (\S+)", path.read_text())}
    emptied = re.findall(r"{% block (\S+) %}\s*{% endblock", (OURS / page).read_text())
    assert not theirs & set(emptied)


@pytest.mark.django_db
@pytest.mark.parametrize("address", LINKED)
def test_sheets_of_djangos_lie_below_the_portals_own(world, address):
    linked = set(SHEET.findall((DJANGOS / LINKED[address]).read_text()))
    assert linked
    assert linked <= set(SHEET.findall((settings.ROOT / "static" / "django.css").read_text()))
    page = signed_in(world, "root").get(address).content.decode()
    assert not linked & set(SHEET.findall(page))
    assert "<style" not in page
    assert ("jsi18n" in page) == ("jsi18n" in (DJANGOS / LINKED[address]).read_text())


@pytest.mark.django_db
def test_read_only_fields_say_phrases_without_a_change_to_django(world):
    world.up_to("team", "active")
    phase = world.phase("team")
    with translation.override("de"):
        active = str(translation.gettext("active"))
    assert active != "active"
    page = signed_in(world, "mia", HTTP_ACCEPT_LANGUAGE="de").get(f"/admin/rollouts/phase/{phase.pk}/change/")
    assert f'<div class="readonly">{active}</div>' in page.content.decode()
    assert helpers.linebreaksbr is defaultfilters.linebreaksbr
