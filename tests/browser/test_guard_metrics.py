"""Guard metrics on the rollout's page: drawn on its time axis, told in a form, and what acted said where people look."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rollouts.models import clock
from rollouts.rules.series import Sample
from rollouts.services import due, series
from tests.browser.looks import axe, misfits

pytestmark = pytest.mark.browser
BOUNDS = """
guard_metrics:
  acceptance_rate: {unit: "%", at_least: 14}
  latency_p95: {unit: ms, at_most: 1200, above_baseline: 5, window: 15m, samples: 3, hurt_for: 10m, then: pause}
"""


@pytest.fixture
def measured(portal):
    """A phase that is live for two hours, with both figures told all along; the latency has worsened at the end."""
    with clock.told_at(clock.now() - timedelta(hours=2)):
        portal.apply_text(portal.document() + BOUNDS)
        portal.sync()
        portal.confirm()
        portal.up_to("team", "active")
    now, rollout = clock.now(), portal.rollout()
    for name, usual, worse in (("latency_p95", 1000, 1400), ("acceptance_rate", 17, 16)):
        values = [usual + n % 7 if n < 90 else worse + n % 5 for n in range(116)]
        times = [now - timedelta(minutes=116 - n) for n in range(116)]
        told = (Sample(at, value, usual) for at, value in zip(times, values, strict=True))
        series.keep(rollout, name, told)
    return portal


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 360)])
def test_each_figure_is_drawn_with_its_bounds_and_a_value_is_told(measured, sign_in, scheme, width):
    mia = sign_in("mia", scheme=scheme, width=width)
    mia.goto(f"{measured.url}/rollouts/haiku/#metrics")
    card = mia.locator("#metrics")
    assert card.get_by_role("img").count() == 2
    assert card.locator("svg .limit").count() >= 3
    label = card.get_by_role("img", name="latency p95").get_attribute("aria-label")
    assert "at most 1,200 ms" in label
    card.locator("summary", has_text="Tell a value").first.click()
    card.get_by_label("Acceptance rate in %").fill("15.5")
    card.get_by_role("button", name="Keep").first.click()
    mia.get_by_text("The value is kept.").wait_for()
    assert "acceptance rate is 15.5 %" in mia.locator("#metrics").inner_text().lower()
    assert misfits(mia) == []
    assert axe(mia) == []


def test_what_a_figure_paused_is_said_on_the_page_and_by_the_bell(measured, sign_in):
    from rollouts.services import notices

    assert due.work().acted == ["haiku"]
    notices.work()
    mia = sign_in("mia")
    mia.goto(f"{measured.url}/rollouts/haiku/")
    text = mia.locator("#phase-team").inner_text()
    assert "latency p95 is 1,40" in text
    assert "for 1" in text
    mia.goto(f"{measured.url}/notifications/")
    assert "The portal paused Owning team" in mia.locator("main").inner_text()
    assert "See which figure, and decide how to go on." in mia.locator("main").inner_text()
