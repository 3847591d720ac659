"""``make bench``: the portfolio beside a bare page with the same rows, in the same run."""

from __future__ import annotations

import statistics
import time

import pytest
from django.db import connection
from django.template import Context, Template
from django.test import Client
from django.test.utils import CaptureQueriesContext

from rollouts.models import Rollout

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db]
BARE = Template(
    "{% for r in rows %}<p>{{ r.title }} {{ r.flag.name }} {% for p in r.phases.all %}{{ p.state }}{% endfor %}</p>{% endfor %}"
)


def median(times, do):
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        do()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


def test_the_portfolio_with_50_rollouts(world, capsys):
    for number in range(50):
        world.apply(slug=f"haiku-{number}", title=f"Haiku {number}", flag=f"flag_{number}")
    world.sync()
    client = Client()
    client.force_login(world.people["mia"])
    with CaptureQueriesContext(connection) as asked:
        page = client.get("/")
        queries = len(asked)
    whole = median(15, lambda: client.get("/"))
    bare = median(
        15, lambda: BARE.render(Context({"rows": Rollout.objects.select_related("flag").prefetch_related("phases")}))
    )
    with capsys.disabled():
        print(
            f"\nportfolio, 50 rows: {queries} queries, {whole:.0f} ms, {len(page.content) / 1000:.0f} kB; "
            f"bare page {bare:.0f} ms, ratio {whole / bare:.1f}"
        )
    assert page.status_code == 200
