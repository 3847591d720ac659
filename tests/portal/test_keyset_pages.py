"""Lists in pages: the cursor is the sort key of the last row, so the list goes on whatever becomes of that row."""

from __future__ import annotations

import html
import json
import re
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from rollouts.models import PortfolioRow, Rollout, clock
from rollouts.models.keyset import LONGEST, Keyset, WrongCursor, written
from rollouts.portal import listing
from rollouts.services import transitions
from tests.markup import flat
from tests.portal.pages import words

pytestmark = pytest.mark.django_db
NAMES = [f"r{number}" for number in range(6)]


def planned(world):
    for name in NAMES:
        world.apply(slug=name, title=f"Rollout {name}", flag=f"use_{name}")


@pytest.fixture
def six(world, monkeypatch):
    """Six rollouts, two to a page, and a signed-in manager."""
    world.remembered("six", partial(planned, world))
    monkeypatch.setattr(listing, "PAGE", 2)
    monkeypatch.setattr("rollouts.portal.views.timeline.ROWS", 2)
    client = Client(raise_request_exception=False)
    client.force_login(world.people["mia"])
    return client


def titles(response):
    return re.findall(r"Rollout (r\d)(?=</a>)", flat(response))


def following(response, rel="next", name="after"):
    match = re.search(rf'href="(\?[^"]*{name}=[^"]*)" rel="{rel}"', flat(response))
    return html.unescape(match[1]) if match else None


def pages(client, path, query=""):
    seen = []
    while query is not None:
        response = client.get(path + query)
        assert response.status_code == 200
        seen.append(list(dict.fromkeys(titles(response))))
        query = following(response)
    return seen


@pytest.mark.parametrize(
    "query",
    ["", *(f"?group={group}&sort={sort}" for group in ("health", "owner", "none") for sort in ("title", "since"))],
)
def test_all_rows_stand_on_one_page_each(six, query):
    found = pages(six, "/", query)
    assert [len(page) for page in found] == [2, 2, 2]
    assert sorted(title for page in found for title in page) == NAMES


@pytest.mark.parametrize(
    ("path", "query"),
    [("/", ""), ("/", "?group=health&sort=since"), ("/", "?group=none&sort=title"), ("/", "?group=owner&sort=title"),
     ("/timeline/", "")],
)  # fmt: skip
def test_pages_lead_back_as_they_led_on(six, world, path, query):
    """Over the edges between groups, too."""
    for name in NAMES[:3]:
        transitions.perform_on_rollout("abandon", Rollout.objects.get(slug=name), by=world.actor("mia"), reason="x")
    query = f"{query or '?'}&state=all" if path == "/" else query
    there = [six.get(path + query)]
    assert following(there[0], "prev") is None
    while (step := following(there[-1])) is not None:
        there.append(six.get(path + step))
    assert len(there) == 3
    back = [there[-1]]
    while (step := following(back[-1], "prev")) is not None:
        back.append(six.get(path + step))
    assert [titles(page) for page in reversed(back)] == [titles(page) for page in there]
    assert [following(page) for page in reversed(back)] == [following(page) for page in there]


def test_the_way_back_ends_at_a_whole_first_page(six, world):
    """What came meanwhile stands on it; what has gone leaves no gap."""
    second = six.get(f"/{following(six.get('/?group=none&sort=title'))}")
    assert list(dict.fromkeys(titles(second))) == ["r2", "r3"]
    Rollout.objects.get(slug="r0").portfolio_row.delete()
    assert list(dict.fromkeys(titles(six.get(f"/{following(second, 'prev')}")))) == ["r1", "r2"]
    world.apply(slug="r0b", title="Rollout 0", flag="use_0b")
    page = six.get(f"/{following(second, 'prev')}")
    assert "Rollout 0" in words(page)
    assert (list(dict.fromkeys(titles(page))), following(page, "prev")) == (["r1"], None)


def test_nothing_more_leads_back_to_the_last_page(six):
    last = six.get("/?group=none&sort=title")
    while (step := following(last)) is not None:
        beyond, last = step, six.get(f"/{step}")
    PortfolioRow.objects.filter(rollout__slug__in=["r4", "r5"]).delete()
    empty = six.get(f"/{beyond}")
    assert (titles(empty), following(empty)) == ([], None)
    back = six.get(f"/{following(empty, 'prev')}")
    assert list(dict.fromkeys(titles(back))) == ["r2", "r3"]


def test_the_history_leads_back(six, world, monkeypatch):
    monkeypatch.setattr("rollouts.portal.views.history.PER_PAGE", 3)
    first = six.get("/audit/")
    second = six.get(f"/audit/{following(first, name='before')}")
    assert titles(first) != titles(second)
    assert following(first, "prev", "before") is None
    again = six.get(f"/audit/{following(second, 'prev', 'before')}")
    assert titles(again) == titles(first)


def test_the_list_goes_on_after_its_last_row_has_left_its_group(six, world):
    """What stood last on the page was abandoned meanwhile: it is over, and no group of the open list has it."""
    first = six.get("/")
    shown = list(dict.fromkeys(titles(first)))
    last = Rollout.objects.get(slug=shown[-1])
    transitions.perform_on_rollout("abandon", last, by=world.actor("mia"), reason="x")
    second = six.get(f"/{following(first)}")
    assert "No rollouts yet" not in words(second)
    rest = list(dict.fromkeys(titles(second)))
    third = six.get(f"/{following(second)}")
    rest += dict.fromkeys(titles(third))
    assert sorted([*shown, *rest]) == NAMES


def test_the_list_goes_on_after_its_last_row_is_gone(six):
    first = six.get("/?group=none&sort=title")
    PortfolioRow.objects.filter(rollout__slug="r1").delete()
    assert titles(first)[-1] == "r1"
    assert list(dict.fromkeys(titles(six.get(f"/{following(first)}")))) == ["r2", "r3"]


def test_nothing_more_is_not_nothing_yet(six, world):
    step = following(six.get("/"))
    PortfolioRow.objects.update(place=PortfolioRow.Place.OVER, due_at=None)
    page = words(six.get(f"/{step}"))
    assert "No rollouts yet" not in page
    assert "No more rollouts" in page
    assert "Plan the first one" not in page


def test_the_timeline_goes_on_after_its_last_row_is_over(six, world):
    found = pages(six, "/timeline/")
    assert sorted(title for page in found for title in page) == NAMES
    first = six.get("/timeline/")
    last = Rollout.objects.get(slug=list(dict.fromkeys(titles(first)))[-1])
    transitions.perform_on_rollout("abandon", last, by=world.actor("mia"), reason="x")
    rest = [title for page in pages(six, "/timeline/", following(first)) for title in page]
    assert set(NAMES) <= {*titles(first), *rest}


def test_history_goes_on_where_it_was_while_more_happens(six, world):
    old = clock.now() - timedelta(days=2)
    with clock.told_at(old):  # told late: it stands where its time is
        world.apply(slug="late", title="Rollout late", flag="use_late")
    script_items, cursor = [], ""
    while cursor is not None:
        answer = six.get("/api/v1/audit", {"verb": "plan.apply", "limit": 2, "cursor": cursor}).json()
        script_items += answer["items"]
        cursor = answer["next"]
        world.apply(slug="newer", title=f"Rollout new {len(script_items)}", flag="use_newer")
    told = [item["rollout"] for item in script_items]
    assert told == [*reversed(NAMES), "late"]


@pytest.mark.parametrize(
    ("path", "name"), [("/", "after"), ("/timeline/", "after"), ("/audit/", "before"), ("/approvals/", "after"),
                       ("/admin/rollouts/rollout/{pk}/history/", "before")],
)  # fmt: skip
@pytest.mark.parametrize(
    "cursor",
    ["1", "x", "WzFd", "9" * 700, "%F0%9F", "-x", "--", *(f"{back}{place}" for back in ("", "-", "--") for place in
     (written("audit", "never", 1), written("flags", "a", 1)))],
)  # fmt: skip
def test_a_place_that_the_list_has_not_is_said(six, world, path, name, cursor):
    path = path.format(pk=Rollout.objects.first().pk)
    response = six.get(path, {name: cursor})
    assert response.status_code == 422
    assert "names no place of this list" in response.content.decode()


def test_cursors_of_one_order_fit_no_other(six):
    step = following(six.get("/?group=none&sort=title")).replace("sort=title", "sort=since")
    assert six.get(f"/{step}").status_code == 422


def forged(*key):
    return urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "key",
    [
        ("x", "2026-11-01T00:00:00"), ("x", "9999-12-31T00:00:00+00:00"), ("x", 5), ("x",), ("y", "2026-11-01T00:00:00+00:00"),
        ("x", None), ("x", ["2026"]), ("x", "2026-11-01T00:00:00+00:00", 1), {},
    ],
)  # fmt: skip
def test_a_forged_key_is_none(key):
    with pytest.raises(WrongCursor):
        Keyset("x", {"at": datetime}).key(forged(*key))


def test_numbers_and_texts_of_a_key_are_what_a_database_holds():
    keyset = Keyset("x", {"name": str, "pk": int})
    assert keyset.key(forged("x", "a", 1)) == ("a", 1)
    assert keyset.key(keyset.cursor({"name": "ä\n", "pk": 2**63 - 1})) == ("ä\n", 2**63 - 1)
    for key in (("a", 0), ("a", -1), ("a", 2**63), ("a", True), ("a", 1.0), ("a\x00", 1), ("\ud800", 1), (1, 1)):
        with pytest.raises(WrongCursor):
            keyset.key(forged("x", *key))
    with pytest.raises(WrongCursor):
        keyset.key("A" * (LONGEST + 1))


@pytest.mark.parametrize("letter", ["a", '"', "é", "模", "😀"])
def test_a_list_takes_its_own_cursor_however_long_the_texts(letter):
    keyset = Keyset("portfolio-owner-title", {"owner": str, "title": str, "pk": int})
    key = (letter * 150, letter * 200, 2**63 - 1)
    assert keyset.key(keyset.cursor(dict(zip(keyset.keys, key, strict=True)))) == key


def asked_for(world, names):
    """Each of them with a request for its first phase."""
    for name in names:
        world.apply(slug=name, title=f"Rollout {name}", flag=f"use_{name}")
        phase = Rollout.objects.get(slug=name).phases.get(name="team")
        transitions.perform("request", phase, by=world.actor("mia"))


def test_each_request_stands_on_one_page_of_the_inbox(six, world, monkeypatch):
    monkeypatch.setattr("rollouts.portal.presenters.inbox.PAGE", 2)
    asked_for(world, NAMES)
    found = pages(six, "/approvals/")
    assert found == [NAMES[0:2], NAMES[2:4], NAMES[4:6]]
    alice = Client()
    alice.force_login(world.people["alice"])
    assert "2 requests on this page wait for you." in words(alice.get("/approvals/"))
    beyond = following(alice.get("/approvals/"))
    transitions.perform("withdraw", Rollout.objects.get(slug=NAMES[1]).phases.get(name="team"), by=world.actor("mia"))
    assert list(dict.fromkeys(titles(alice.get(f"/approvals/{beyond}")))) == NAMES[2:4]


def test_the_inbox_asks_as_much_for_one_request_as_for_six(six, world):
    counts = []
    for names in (NAMES[:1], NAMES[1:]):
        asked_for(world, names)
        six.get("/approvals/")
        with CaptureQueriesContext(connection) as asked:
            assert six.get("/approvals/").status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]
