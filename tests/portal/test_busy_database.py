"""Another process holds SQLite for long: reads go on, writes are refused in words, nobody waits for ever."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from rollouts.models import ApiToken, HookDelivery, PortfolioRow, waiting
from rollouts.portal import health, middleware
from rollouts.services import portfolio_rows, tokens
from tests.addresses import every_address
from tests.portal.pages import signed_in
from tests.walk import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]


@contextmanager
def locked():
    """Somebody else writes, and does not come to an end."""
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.fixture
def world(transactional_db, gitlab, monkeypatch):
    monkeypatch.setattr(middleware, "LONGEST_WAIT", 0.3)
    monkeypatch.setattr(health, "WORTH_WAITING", 0.1)
    monkeypatch.setattr(portfolio_rows, "WORTH_WAITING", 0.1)
    found = World.build(gitlab)
    found.up_to("team", "active")
    return found


@pytest.fixture
def token(world):
    _, text = tokens.issue(world.people["mia"], "report", world.actor("mia"))
    return text


def says_busy(answer):
    return (
        answer.status_code == 503
        and answer["Retry-After"] == "5"
        and "nothing was changed" in answer.content.decode().lower()
    )


def test_signing_in_is_refused_in_words_and_works_afterwards(world, settings):
    settings.AXES_ENABLED = True
    client, told = Client(raise_request_exception=False), {"username": "mia", "password": "rollout"}
    with locked():
        answer = client.post("/accounts/login/", told)
        assert says_busy(answer)
        assert "The database is busy" in answer.content.decode()
        assert client.get("/accounts/login/").status_code == 200
        wrong = client.post("/accounts/login/", {**told, "password": "wrong"})
        assert wrong.status_code in (200, 503)
    assert client.post("/accounts/login/", told).status_code == 302


def test_what_would_change_something_is_refused_and_changes_nothing(world, token):
    mia, bearer = signed_in(world, "mia", raise_request_exception=False), {"Authorization": f"Bearer {token}"}
    with locked():
        assert says_busy(mia.post("/rollouts/haiku/phases/team/pause/", {"reason": "latency"}))
        answer = Client(raise_request_exception=False).post(
            "/api/v1/rollouts/haiku/phases/team/pause", {"reason": "x"}, "application/json", headers=bearer
        )
        assert says_busy(answer)
        assert answer["Content-Type"] == "application/problem+json"
        assert mia.get("/rollouts/haiku/").status_code == 200
    assert world.phase("team").state == "active"
    assert mia.post("/rollouts/haiku/phases/team/pause/", {"reason": "latency"}).status_code == 303


def test_reading_by_token_waits_for_nobody_and_its_use_is_noted_later(world, token):
    bearer = {"Authorization": f"Bearer {token}"}
    with locked():
        for path in ("/api/v1/rollouts", "/api/v1/rollouts/haiku", "/api/v1/flags", "/metrics"):
            assert Client().get(path, headers=bearer).status_code == 200, path
        assert ApiToken.objects.get().last_used_at is None
    assert Client().get("/api/v1/rollouts", headers=bearer).status_code == 200
    assert ApiToken.objects.get().last_used_at is not None


def test_a_list_is_whole_though_no_row_of_it_could_be_worked_out_yet(world, token):
    bearer = {"Authorization": f"Bearer {token}"}
    before = Client().get("/api/v1/rollouts", headers=bearer).json()
    PortfolioRow.objects.update(told="", due_at=timezone.now())
    with locked():
        assert Client().get("/api/v1/rollouts", headers=bearer).json() == before
    assert [each["slug"] for each in before["items"]] == ["haiku"]


def test_no_page_waits_for_who_writes(world):
    root = signed_in(world, "root", raise_request_exception=False)
    root.get("/")
    PortfolioRow.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    with locked():
        for address in chain.from_iterable(every_address(world, verbs=("advance",)).values()):
            if address == "/readyz":
                continue  # it says that nothing can be written
            answer = root.get(address)
            assert answer.status_code < 500, address
            assert b"".join(answer) is not None  # a file that is streamed is read too
        assert "Claude Haiku" in root.get("/").content.decode()
    assert PortfolioRow.objects.due(timezone.now()).exists()
    root.get("/")
    assert not PortfolioRow.objects.due(timezone.now()).exists()


def test_a_genuine_webhook_is_told_to_come_again(world, settings):
    settings.GITLAB_WEBHOOK_SECRET = "secret"
    body = {"object_kind": "issue", "project": {"id": world.gitlab.state.project("acme/app")["id"],
            "path_with_namespace": "acme/app"}, "object_attributes": {"iid": 12, "state": "closed",
            "updated_at": "2026-11-28 10:00:00 UTC"}}  # fmt: skip

    def deliver():
        return Client(raise_request_exception=False).post(
            "/hooks/gitlab/", json.dumps(body), "application/json",
            headers={"X-Gitlab-Token": "secret", "X-Gitlab-Event": "Issue Hook", "Idempotency-Key": "1"},
        )  # fmt: skip

    with locked():
        answer = deliver()
        assert says_busy(answer)
        assert answer["Content-Type"].startswith("text/plain")
    assert not HookDelivery.objects.exists()
    assert deliver().status_code in (202, 204)


def test_readiness_tries_a_write(world):
    world.sync()
    with locked():
        answer = Client().get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["checks"]["database"] == "the database takes no writes (database is locked)"
    assert Client().get("/readyz").json()["checks"]["database"] == "ok"


def test_a_request_waits_once_and_not_for_each_write():
    """What is waited for one write is no longer there for the next."""
    from django.db import OperationalError, transaction

    usual = waiting._waits(connection.connection) if connection.connection else None
    with locked(), waiting.bounded(0.3):
        for _ in range(3):
            with pytest.raises(OperationalError), transaction.atomic():
                pass
        assert waiting._waits(connection.connection) == 0
    assert waiting._waits(connection.connection) == usual or usual is None


def test_the_usual_wait_is_back_after_a_request(world):
    before = waiting._waits(connection.connection)
    assert before >= 20
    signed_in(world, "mia", raise_request_exception=False).get("/")
    connection.ensure_connection()
    assert waiting._waits(connection.connection) == before
