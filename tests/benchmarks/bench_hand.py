"""``make bench-hand``: pages that people decide on, a transition by its button, and what an open page costs an hour.

Goals: the rollout page takes at most three times the portfolio page; a transition's p95 is under ten times that of a bare
POST, which writes one row through the same middleware, in the same run. What each page asks the database does not grow
with what is on it: tests/portal/test_constant_queries.py.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import timezone

from config.urls import urlpatterns as portal
from rollouts.models import Phase
from rollouts.models.sessions import BrowserSession as Session
from rollouts.portal.live import ANYWAY, VERSION
from tests.benchmarks.population import demo, grow_to

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3000)]
TIMES = int(os.environ.get("TIMES", "41"))
ROLLOUTS = 100
#: An open page asks each LIVE_SECONDS, and once a minute for all of itself (static/live.js).
WHOLE_AN_HOUR = 60


def bare(request):
    """One row, as plainly as Django writes one."""
    Session.objects.create(session_key=uuid4().hex, session_data="", expire_date=timezone.now())
    return HttpResponse("done")


urlpatterns = [path("bare/", bare), *portal]


def by_turns(asked: dict[str, Callable[[int], tuple[float, float]]]) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of the clock and of the processor for each time; all take turns, so that they have the same weather."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    for turn in range(-3, TIMES):  # the first few are warmed up by
        for name, ask in asked.items():
            taken[name] += [ask(turn)] if turn >= 0 else [ask(turn)][:0]
    return taken


def p95(values) -> float:
    return statistics.quantiles(values, n=20)[-1]


@pytest.fixture
def hand(settings, tmp_path):
    """Asks as mia: what, how it is answered, and how long that takes."""
    settings.ROOT_URLCONF = __name__
    demo(settings, tmp_path)
    grow_to(ROLLOUTS)
    client, factory = Client(), RequestFactory()
    client.force_login(get_user_model().objects.get(username="mia"))
    factory.cookies = client.cookies

    def ask(method: str, address: str, status: int, fields=None, **headers: str) -> tuple[float, float]:
        environ = getattr(factory, method)(address, fields, headers=headers).environ
        begun, used = time.perf_counter(), time.process_time()
        answer = client.handler(environ)
        spent = (time.perf_counter() - begun) * 1000, (time.process_time() - used) * 1000
        assert answer.status_code == status, answer.content[:2000]
        return spent

    ask.client = client
    return ask


def under_way() -> Phase:
    return Phase.objects.select_related("rollout").filter(state="active", rollout_id__lt=1_000_000).earliest("pk")


def test_pages_under_a_hand(hand, settings, capsys):
    pages_that_people_decide_on(hand, settings, capsys)
    a_transition_by_button(hand, capsys)


def pages_that_people_decide_on(hand, settings, capsys):
    rollout = f"/rollouts/{under_way().rollout.slug}/"
    pages = {"portfolio": "/", "rollout": rollout, "inbox": "/approvals/", "locks": "/locks/", "sync": "/sync/"}
    versions = {name: hand.client.get(address).headers[VERSION] for name, address in pages.items()}
    taken = by_turns(
        {name: lambda _, at=address: hand("get", at, 200) for name, address in pages.items()}
        | {
            f"{name} asks": lambda _, at=address, known=versions[name]: hand("get", at, 204, **{VERSION: known})
            for name, address in pages.items()
        }
        | {
            f"{name} whole": lambda _, at=address, known=versions[name]: hand(
                "get", at, 200, **{VERSION: known, ANYWAY: "1"}
            )
            for name, address in pages.items()
        }
    )
    middle = {name: statistics.median(clock for clock, _ in each) for name, each in taken.items()}
    used = {name: statistics.median(processor for _, processor in each) for name, each in taken.items()}
    asks_an_hour = 3600 // settings.LIVE_SECONDS - WHOLE_AN_HOUR
    with capsys.disabled():
        print(f"\n{ROLLOUTS} rollouts on {connection.vendor}")
        for name, address in pages.items():
            with CaptureQueriesContext(connection) as queries:
                hand.client.get(address)
            an_hour = (asks_an_hour * used[f"{name} asks"] + WHOLE_AN_HOUR * used[f"{name} whole"]) / 1000
            print(
                f"  {name:10} {len(queries):3} queries  median {middle[name]:6.1f} ms  "
                f"{middle[name] / middle['portfolio']:4.2f} × portfolio  open for an hour: "
                f"{asks_an_hour} × {used[f'{name} asks']:.1f} + {WHOLE_AN_HOUR} × {used[f'{name} whole']:.1f} ms = "
                f"{an_hour:.1f} s of the processor"
            )
    assert middle["rollout"] <= 3 * middle["portfolio"]


def a_transition_by_button(hand, capsys):
    phase = under_way()
    button = f"/rollouts/{phase.rollout.slug}/phases/{phase.name}"

    def press(turn: int) -> tuple[float, float]:
        return hand("post", f"{button}/{('pause', 'resume')[turn % 2]}/", 303, {"reason": "a look"})

    press(0), press(1)
    # Begins with a pause: the first turn is an odd one.
    taken = by_turns({"bare": lambda _: hand("post", "/bare/", 200), "button": lambda turn: press(turn + 1)})
    floor, high = (p95([clock for clock, _ in taken[name]]) for name in ("bare", "button"))
    middles = [statistics.median(clock for clock, _ in taken[name]) for name in ("bare", "button")]
    with capsys.disabled():
        print(
            f"\n{connection.vendor}: bare POST median {middles[0]:.1f} ms, p95 {floor:.1f} ms; transition median "
            f"{middles[1]:.1f} ms, p95 {high:.1f} ms: {high / floor:.1f} × (medians {middles[1] / middles[0]:.1f} ×)"
        )
    assert high < 10 * floor
