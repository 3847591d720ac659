"""``make bench-pages``: pages at 100, 10,000 and 100,000 rollouts, beside a bare page with the same rows in the same run.

Goals: the portfolio takes at most twice the bare page's time, and no page's time grows with the table.
"""

from __future__ import annotations

import gzip
import statistics
import time

import pytest
from django.db import connection
from django.http import HttpResponse
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import path

from config.urls import urlpatterns as portal
from rollouts.models import Phase, PortfolioRow, Rollout
from tests.benchmarks.population import demo, grow_to

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3000)]
SIZES = (100, 10_000, 100_000)
TIMES = 31
BARE = Template(
    """<!doctype html><title>Rollouts</title><table>
{% for r in rows %}<tr>
<td><a href="/rollouts/{{ r.slug }}/">{{ r.title }}</a></td>
<td>{{ r.flag.name }}</td>
<td>{{ r.ai_model.name }} {{ r.baseline.name }}</td>
<td>{{ r.state }} {{ r.drift }}</td>
<td>{% for p in r.there %}{{ p.title }} {{ p.state }} {{ p.current_step.percentage }} {% endfor %}</td>
<td>{{ r.flag.presence }} {{ r.flag.reading.read_at }} {{ r.owners }}</td>
</tr>{% endfor %}
</table>"""
)
SHOWN: list[int] = []


def bare(request):
    """The rows of the portfolio's first page by the plain ORM, in two queries, through a ten-line template."""
    from django.db.models import Prefetch

    rows = (
        Rollout.objects.filter(pk__in=SHOWN)
        .select_related("flag__reading", "ai_model", "baseline")
        .prefetch_related(Prefetch("phases", Phase.objects.select_related("current_step"), to_attr="there"))
    )
    return HttpResponse(BARE.render(Context({"rows": rows})))


urlpatterns = [path("bare/", bare), *portal]


def measure(client: Client, pages: dict[str, str]) -> dict[str, tuple[int, float, float, bytes]]:
    """Queries, median and p95 in ms, and the answer; pages take turns, so that all have the same weather.

    The handler is asked itself: the test client copies the context of every template for tests to look at.
    """
    factory = RequestFactory()
    factory.cookies = client.cookies
    taken: dict[str, list[float]] = {name: [] for name in pages}
    asked, answers = {}, {}
    for name, address in pages.items():
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            answers[name] = client.get(address).content
        asked[name] = len(queries)
    for _ in range(TIMES):
        for name, address in pages.items():
            question = factory.get(address).environ
            begun = time.perf_counter()
            assert client.handler(question).status_code == 200
            taken[name].append((time.perf_counter() - begun) * 1000)
    return {
        name: (asked[name], statistics.median(times), statistics.quantiles(times, n=20)[-1], answers[name])
        for name, times in taken.items()
    }


def test_pages_do_not_grow_with_the_table(settings, tmp_path, capsys):
    settings.ROOT_URLCONF = __name__
    demo(settings, tmp_path)
    from django.contrib.auth import get_user_model

    client, medians, queries = Client(), {}, {}
    client.force_login(get_user_model().objects.get(username="mia"))
    for size in SIZES:
        there = grow_to(size)
        page = client.get("/")
        SHOWN[:] = PortfolioRow.objects.filter(
            pk__in=[row.pk for group in page.context["groups"] for row in group.rows]
        ).values_list("rollout_id", flat=True)
        pages = {
            "bare page": "/bare/",
            "portfolio": "/",
            "rollout": f"/rollouts/{Rollout.objects.order_by('-pk').first().slug}/",
            "timeline": "/timeline/",
            "history": "/audit/",
        }
        found = measure(client, pages)
        floor = found["bare page"][1]
        with capsys.disabled():
            print(f"\n{there:,} rollouts on {connection.vendor}, {len(SHOWN)} rows in the portfolio")
            for name, (asked, middle, high, answer) in found.items():
                size_kb, small = len(answer) / 1000, len(gzip.compress(answer)) / 1000
                print(
                    f"  {name:10} {asked:3} queries  median {middle:6.1f} ms  p95 {high:6.1f} ms  "
                    f"{middle / floor:5.2f} × bare  {size_kb:5.0f} kB ({small:.0f} kB compressed)"
                )
        for name, (asked, middle, *_rest) in found.items():
            medians.setdefault(name, []).append(middle)
            queries.setdefault(name, set()).add(asked)
        if there >= 50:
            assert len(SHOWN) == 50
            assert len(found["portfolio"][3]) <= 100_000
    with capsys.disabled():
        print(
            f"\n{SIZES[-1]:,} against {SIZES[0]:,} rollouts: medians as multiples of the bare page's at the same size"
        )
        for name, (first, *_between, last) in medians.items():
            floor_first, *_floors, floor_last = medians["bare page"]
            print(f"  {name:10} {(last / floor_last) / (first / floor_first):5.2f} ×")
    for name, counts in queries.items():
        assert len(counts) == 1, f"{name} asks the database {counts} times"
