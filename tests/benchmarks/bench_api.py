"""``make bench-api``: the API beside the portfolio page with the same fifty rollouts, and beside unleash-server.

Goals: a list of fifty takes no longer than the page, nothing grows from 100 to 100,000 rollouts, no page is short,
and a list and one are answered before unleash-server has answered them, of as many.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from rollouts.api.rollouts import AS_MADE
from rollouts.audit.actor import Actor
from rollouts.models import PortfolioRow, Rollout
from rollouts.services import tokens
from tests.benchmarks import unleash
from tests.benchmarks.bench_pages import SIZES, TIMES, measure
from tests.benchmarks.population import demo, grow_to

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3000)]
ROOT = Path(__file__).parents[2]
PAGE = 50
LIST = f"/api/v1/rollouts?limit={PAGE}"
#: How many rollouts and flags are compared with unleash-server.
COMPARED = 10_000


def questions() -> dict[str, str]:
    """What is asked: the page first, which all are measured by."""
    keys = Rollout.objects.order_by("pk").values_list("pk", flat=True)
    deep = AS_MADE.cursor({"rollout_id": keys[len(keys) * 9 // 10]})
    rare = PortfolioRow.objects.exclude(phase="").order_by("-rollout").first()
    assert rare is not None
    return {
        "portfolio page": "/",
        "list": LIST,
        "list, deep": f"{LIST}&cursor={deep}",
        "list, back from there": f"{LIST}&cursor=-{deep}",
        "list, one phase": f"{LIST}&phase={rare.phase}",
        "list, one health": f"{LIST}&health=drifting",
        "list, both": f"{LIST}&phase=everyone&health=as_planned",
        "list with blockers": f"{LIST}&include=blockers",
        "one rollout": f"/api/v1/rollouts/{Rollout.objects.latest('pk').slug}",
    }


def test_the_api_is_as_fast_as_the_page_and_does_not_grow(settings, tmp_path, capsys):
    demo(settings, tmp_path)
    settings.FRESHNESS_SECONDS = 7 * 86_400  # what was read stays fresh, however long the tables take to grow
    client, medians, queries = Client(), {}, {}
    client.force_login(get_user_model().objects.get(username="mia"))
    for size in SIZES:
        there = grow_to(size)
        found = measure(client, questions())
        page = found["portfolio page"][1]
        with capsys.disabled():
            print(f"\n{there:,} rollouts on {connection.vendor}")
            for name, (asked, middle, high, answer) in found.items():
                rows = f"{len(json.loads(answer)['items']):3} rows" if name.startswith("list") else ""
                print(
                    f"  {name:22} {asked:3} queries  median {middle:6.1f} ms  p95 {high:6.1f} ms  "
                    f"{middle / page:5.2f} × the page  {rows}"
                )
        for name, (asked, middle, _high, answer) in found.items():
            medians.setdefault(name, []).append(middle)
            queries.setdefault(name, set()).add(asked)
            if name.startswith("list"):
                told = json.loads(answer)
                assert len(told["items"]) == PAGE or told["next"] is None or name == "list, deep", f"{name} is short"
        assert len(json.loads(found["list"][3])["items"]) == PAGE
    with capsys.disabled():
        print(f"\n{SIZES[-1]:,} against {SIZES[0]:,} rollouts")
        for name, (first, *_between, last) in medians.items():
            print(f"  {name:22} {last / first:5.2f} ×")
    for name, counts in queries.items():
        assert len(counts) == 1, f"{name} asks the database {counts} times"


def test_the_api_answers_before_unleash_server_does(settings, tmp_path, capsys):
    """Both over HTTP, in turns, each by one process."""
    if connection.vendor != "postgresql" or not unleash.is_there():
        with capsys.disabled():
            print("\nunleash-server is measured on PostgreSQL, where npm is.")
        return
    demo(settings, tmp_path)
    grow_to(COMPARED)
    mia = get_user_model().objects.get(username="mia")
    token = tokens.issue(mia, "bench", Actor.of(mia))[1]
    with served() as portal, unleash.served(tmp_path, COMPARED) as peer:
        slug = Rollout.objects.latest("pk").slug
        asked = {
            "unleash-server: list": f"{peer}/search/features?limit={PAGE}",
            "unleash-server: one": f"{peer}/projects/default/features/flag-0-{COMPARED // 2}",
            "portal: list": f"{portal}{LIST}",
            "portal: one": f"{portal}/api/v1/rollouts/{slug}",
        }
        taken = in_turns(asked, token)
    middles = {name: statistics.median(times) for name, times in taken.items()}
    with capsys.disabled():
        print(f"\n{COMPARED:,} rollouts and flags, over HTTP, beside unleash-server {unleash.VERSION}")
        for name, times in taken.items():
            floor = middles[f"unleash-server: {name.partition(': ')[2]}"]
            print(f"  {name:22} median {middles[name]:6.1f} ms  p95 {statistics.quantiles(times, n=20)[-1]:6.1f} ms  "
                  f"{middles[name] / floor:5.2f} × unleash-server")  # fmt: skip


def in_turns(asked: dict[str, str], token: str) -> dict[str, list[float]]:
    """Milliseconds of each question, from asking to the last byte, over connections that stay open."""
    caller, taken = requests.Session(), {name: [] for name in asked}
    headers = {"Authorization": f"Bearer {token}"}  # unleash-server needs none, and counts whoever sends one
    for turn in range(TIMES + 2):
        for name, address in asked.items():
            begun = time.perf_counter()
            answer = caller.get(address, headers=headers if name.startswith("portal") else {}, timeout=60)
            if turn >= 2:  # the first two warm up
                taken[name].append((time.perf_counter() - begun) * 1000)
            assert answer.status_code == 200, answer.text
            if name.endswith("list"):
                told = answer.json()
                assert len(told.get("items", told.get("features"))) == PAGE
    return taken


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The portal as it is served, one process, over the database of this test; its address."""
    kept = connection.settings_dict
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": f"postgres://{kept['USER']}:{kept['PASSWORD']}@{kept['HOST']}:{kept['PORT']}/{kept['NAME']}",
        "FRESHNESS_SECONDS": str(7 * 86_400),
    }
    command = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", "127.0.0.1:0", "--threads", "2"]
    web = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    assert web.stderr is not None
    try:
        listening = (re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", line) for line in web.stderr)
        yield next(match[1] for match in listening if match)
    finally:
        web.send_signal(signal.SIGTERM)
        web.communicate(timeout=60)
