"""When everybody will have it: page, portfolio, timeline, API and command tell the same one."""

from __future__ import annotations

import json
from html import unescape

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from rollouts.services import forecasts, portfolio_rows, tokens
from tests.benchmarks.population import copy
from tests.markup import flat
from tests.portal.pages import signed_in
from tests.services.test_order import planned, walk

pytestmark = pytest.mark.django_db
TOO_FEW = "1 finished rollout of the template came by here, 9 are needed."


def told_everywhere(world, slug, capsys):
    """What each door says of a rollout: sentences of page, API (one and list) and command; and the portfolio's row."""
    while portfolio_rows.bring_up_to_date():
        pass
    _, token = tokens.issue(world.people["mia"], "forecast", world.actor("mia"))
    program, browser = Client(headers={"Authorization": f"Bearer {token}"}), signed_in(world, "mia")
    one = program.get(f"/api/v1/rollouts/{slug}").json()["prediction"]
    listed = next(each for each in program.get("/api/v1/rollouts?limit=100").json()["items"] if each["slug"] == slug)
    call_command("forecast", slug, "--json")
    (by_command,) = json.loads(capsys.readouterr().out)["rollouts"]
    days = {each["words"] for each in (one, listed["prediction"], by_command["prediction"])}
    page = unescape(flat(browser.get(f"/rollouts/{slug}/")))
    assert all(words in page for words in days)
    assert len(days) == 1
    return one, flat(browser.get("/")), flat(browser.get("/timeline/"))


def test_of_too_few_nothing_is_predicted_and_it_is_said(world, capsys):
    planned(world, "haiku")
    walk(world, "haiku", "everyone", "completed")
    planned(world, "opus")
    walk(world, "opus", "team", "active")
    one, portfolio, timeline = told_everywhere(world, "opus", capsys)
    assert one["at"] is None
    assert one["words"].endswith(TOO_FEW)
    assert "everybody " not in portfolio
    assert 'class="likely" x=' not in timeline
    call_command("forecast")
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"opus: When everybody has it can't be predicted yet: {TOO_FEW}"
    )
    with pytest.raises(CommandError, match="There is no rollout opsu"):
        call_command("forecast", "opsu")


def test_of_enough_a_date_and_a_range_are_told_everywhere_alike(world, capsys):
    planned(world, "haiku")
    walk(world, "haiku", "everyone", "completed")
    copy(1, 11)
    planned(world, "opus")
    one, portfolio, timeline = told_everywhere(world, "opus", capsys)
    assert (one["rate"], one["samples"]) == (0.8, 12)
    assert one["since"] <= one["at"] <= one["until"]
    assert "in 80 % of all cases, by 12 finished rollouts of the template." in one["words"]
    assert "everybody " in portfolio
    assert "Everybody has it about" in timeline


def test_once_all_have_it_nothing_is_predicted(world):
    planned(world, "haiku")
    walk(world, "haiku", "everyone", "completed")
    assert forecasts.of(world.rollout("haiku"), world.now(), forecasts.Experience()) is None
