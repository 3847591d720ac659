"""Days and times that are asked for: one reader, the reader's zone, and no calendar that ends under any of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse

from rollouts.models import AIModel, AuditEvent, ChangeLock, clock
from rollouts.rules.datetimes import asked_day, asked_since, asked_until
from tests.commands.running import run
from tests.markup import flat

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
NONE = [
    "9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "0001-01-01", "0001-01-01T00:00+14:00", "never",
    "10000-01-01", "2026-02-30", "20261101", "2026-W45-1", "2026-11-01T24:01", "-1", "1e9", "2026-11-01 10:00 Mars/Base",
    "9998-12-31", "1969-12-30", "2026-11-01T10:00 Europe/Berlin/x",
]  # fmt: skip


def client_of(world, name="vic", zone="UTC"):
    client = Client(raise_request_exception=False)
    client.force_login(world.people[name])
    client.cookies["zone"] = zone
    return client


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_time_is_none_at_every_door(world, text):
    world.apply()
    client = client_of(world, zone="Pacific/Kiritimati")
    for name in ("since", "until"):
        page = client.get("/audit/", {name: text})
        assert page.status_code == 422, name
        assert "is no time that can be asked for. Write 2026-11-01" in page.content.decode()
        told = client.get("/api/v1/audit", {name: text})
        assert told.status_code == 422
        assert told.json()["errors"][0]["name"] == name
        _, err, status = run("audit", "find", f"--{name}={text}")
        assert status == 2
        assert "is no time that can be asked for" in err
    assert client.get("/timeline/", {"from": text}).status_code in (200, 422)


@pytest.mark.parametrize("text", ["8998-12-31", "1970-01-02", "8998-12-31T23:59:59-14:00"])
def test_the_edges_of_what_can_be_asked_for_break_nothing(world, text):
    world.apply()
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        client = client_of(world, zone=zone)
        for name in ("since", "until"):
            assert client.get("/audit/", {name: text}).status_code == 200
            assert client.get("/api/v1/audit", {name: text}).status_code == 200
            assert run("audit", "find", f"--{name}={text}")[2] == 0


def test_a_day_is_one_of_the_readers_zone():
    assert asked_since("2026-11-01", BERLIN) == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert asked_until("2026-11-01", BERLIN) == datetime(2026, 11, 1, 23, tzinfo=UTC)
    assert asked_until("2026-11-01T14:00", BERLIN) == datetime(2026, 11, 1, 13, tzinfo=UTC)
    assert asked_until("2026-11-01T14:00+02:00", BERLIN) == datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert asked_since("2026-11-01 14:00 Asia/Tokyo", BERLIN) == datetime(2026, 11, 1, 5, tzinfo=UTC)


def test_a_day_on_which_clocks_change_is_as_long_as_it_is():
    assert asked_until("2026-10-25", BERLIN) - asked_since("2026-10-25", BERLIN) == timedelta(hours=25)
    assert asked_until("2026-03-29", BERLIN) - asked_since("2026-03-29", BERLIN) == timedelta(hours=23)
    havana = ZoneInfo("America/Havana")  # clocks leave midnight out, and show it twice
    assert asked_since("2026-03-08", havana) == datetime(2026, 3, 8, 5, tzinfo=UTC)
    assert asked_until("2026-11-01", havana) - asked_since("2026-11-01", havana) == timedelta(hours=25)
    assert asked_since("2026-10-25T02:30", BERLIN) < asked_until("2026-10-25T02:30", BERLIN)


def test_the_page_counts_days_in_the_zone_in_which_it_tells_times(world):
    late = datetime(2026, 11, 10, 23, 30, tzinfo=UTC)  # the 11th in Berlin
    with clock.told_at(late):
        world.apply()
    for zone, day in (("UTC", "2026-11-10"), ("Europe/Berlin", "2026-11-11")):
        client = client_of(world, zone=zone)
        before = (datetime.fromisoformat(day) - timedelta(days=1)).date().isoformat()
        assert "</b>applied the plan" in flat(client.get("/audit/", {"since": day, "until": day}))
        assert "</b>applied the plan" not in flat(client.get("/audit/", {"until": before}))


def test_until_a_day_takes_that_day_in_at_every_door(world):
    with clock.told_at(datetime(2026, 11, 10, 23, 30, tzinfo=UTC)):
        world.apply()
    client = client_of(world)
    for day, is_in in (("2026-11-10", True), ("2026-11-09", False)):
        asked = {"verb": "plan.apply", "until": day}
        assert ("</b>applied the plan" in flat(client.get("/audit/", asked))) is is_in
        assert bool(client.get("/api/v1/audit", asked).json()["items"]) is is_in
        assert ("plan.apply" in run("audit", "find", "--verb=plan.apply", "--until", day)[0]) is is_in


@pytest.mark.parametrize("year", ["0001", "1999", "2100", "9998", "9999"])
def test_a_lock_is_of_this_century(world, year):
    client = client_of(world, "root", "Pacific/Kiritimati")
    form = {"title": "Freeze", "kind": "once", "starts": f"{year}-12-30T10:00", "ends": f"{year}-12-31T23:59"}
    response = client.post(reverse("portal:locks"), {**form, "zone": "Etc/GMT+12"})
    assert response.status_code == 422
    assert not ChangeLock.objects.exists()
    assert client.get("/locks/").status_code == 200


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_model_retires_on_a_day_that_can_be_counted_from(world, day):
    world.apply()
    model = AIModel.objects.first()
    client, events = client_of(world, "root"), AuditEvent.objects.count()
    form = {
        "slug": model.slug,
        "name": model.name,
        "provider": model.provider,
        "host": model.host,
        "deprecated_on": day,
    }
    page = client.post(f"/admin/rollouts/aimodel/{model.pk}/change/", form)
    assert "write a day of the years 1970 to 8999" in page.content.decode().lower()
    path = "/admin/rollouts/aimodel/"
    client.post(
        path, {"action": "retire", "_selected_action": [model.pk], "day": day, "sure": "yes", "confirmed": "yes"}
    )
    assert AuditEvent.objects.count() == events
    assert AIModel.objects.get(pk=model.pk).deprecated_on is None


@pytest.mark.parametrize("text", ["0999-01-01", "9999-12-31", "2026-11-1", "x"])
def test_a_day_has_bounds_too(text):
    with pytest.raises(ValueError, match="is no day"):
        asked_day(text)
