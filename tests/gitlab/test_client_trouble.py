"""Each way in which GitLab, its proxy or the network can fail, and what the door makes of it."""

from __future__ import annotations

import logging
import socket
import threading
import time
import traceback
from datetime import UTC, datetime, timedelta

import pytest

from gitlab_simulator import Simulator
from rollouts.gitlab import (
    BadAnswer,
    Forbidden,
    GitLab,
    GitLabProblem,
    Gone,
    RateLimited,
    ServerError,
    Unauthorized,
    Unreachable,
    answers,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fault", "error", "kind", "calls"),
    [
        ({"status": 401}, Unauthorized, "unauthorized", 1),
        ({"status": 403}, Forbidden, "forbidden", 1),
        ({"status": 404}, Gone, "not_found", 1),
        ({"status": 429}, RateLimited, "rate_limited", 1),
        ({"status": 500}, ServerError, "server_error", 3),
        ({"status": 503}, ServerError, "server_error", 3),
        ({"status": 418}, BadAnswer, "bad_answer", 1),
        ({"status": 304}, BadAnswer, "bad_answer", 1),
        ({"how": "drop"}, Unreachable, "connection_refused", 3),
        ({"how": "truncated"}, BadAnswer, "bad_answer", 3),
        ({"how": "not_json"}, BadAnswer, "bad_answer", 1),
        ({"how": "html"}, BadAnswer, "bad_answer", 1),
        ({"how": "not_json", "body": b"null"}, BadAnswer, "bad_answer", 1),
        ({"how": "not_json", "body": b'"text"'}, BadAnswer, "bad_answer", 1),
        ({"how": "not_json", "body": b"[" * 100_000}, BadAnswer, "bad_answer", 1),
        ({"how": "not_json", "body": b"\xff\xfe\x00"}, BadAnswer, "bad_answer", 1),
        ({"how": "not_json", "body": b"x", "headers": {"Content-Encoding": "gzip"}}, BadAnswer, "bad_answer", 1),
        ({"how": "redirect", "headers": {"Location": "https://evil.example/"}}, BadAnswer, "bad_answer", 1),
        ({"how": "redirect", "headers": {"Location": "/api/v4/features"}}, BadAnswer, "bad_answer", 4),
        ({"how": "redirect", "headers": {"Location": "http://[bad"}}, BadAnswer, "bad_answer", 1),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, dict) else None,
)
def test_each_failure_has_its_kind_and_its_number_of_calls(
    simulator: Simulator, gitlab: GitLab, fault: dict[str, object], error: type[GitLabProblem], kind: str, calls: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    simulator.fail(**fault)  # type: ignore[arg-type]
    slept, sleep, here = [], time.sleep, threading.get_ident()
    monkeypatch.setattr(
        time, "sleep", lambda seconds: slept.append(seconds) if threading.get_ident() == here else sleep(seconds)
    )
    with pytest.raises(error) as problem:
        gitlab.features()
    assert slept == []
    assert problem.value.kind == kind
    assert problem.value.words
    assert gitlab.calls == calls == len(simulator.requests)
    assert problem.value.__context__ is None, "something raw hangs on it"


@pytest.mark.parametrize("fault", [{"status": 500}, {"how": "drop"}, {"how": "truncated"}])
def test_what_passes_by_itself_is_not_seen(simulator: Simulator, gitlab: GitLab, fault: dict[str, object]) -> None:
    simulator.state.set_feature("flag", True)
    simulator.fail(**fault, times=2)  # type: ignore[arg-type]
    assert [feature.name for feature in gitlab.features()] == ["flag"]
    assert gitlab.calls == 3


def test_every_third_answer_a_500_changes_nothing(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.state.add_project("acme/app")
    with simulator.state.change():
        for number in range(1, 501):
            simulator.state.add_issue("acme/app", f"Issue {number}", iid=number)
    simulator.fail(status=500, every=3)
    assert len(gitlab.issues("acme/app", range(1, 501))) == 500
    assert gitlab.calls == 7


def test_a_redirect_within_the_host_is_followed(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.state.set_feature("flag", True)
    target = f"{simulator.url}/api/v4/features"
    simulator.fail(how="redirect", status=301, headers={"Location": target}, times=1)
    assert [feature.name for feature in gitlab.features()] == ["flag"]


def test_a_redirect_to_another_port_does_not_get_the_token(simulator: Simulator, gitlab: GitLab) -> None:
    with Simulator() as other:
        simulator.fail(how="redirect", headers={"Location": f"{other.url}/api/v4/features"})
        with pytest.raises(BadAnswer, match="another host"):
            gitlab.features()
        assert other.requests == []


def test_a_slow_answer_is_a_timeout_and_not_asked_again(simulator: Simulator) -> None:
    simulator.delay(1.0)
    gitlab = GitLab(simulator.url, simulator.token, timeout=(1.0, 0.1))
    with pytest.raises(Unreachable) as problem:
        gitlab.features()
    assert problem.value.kind == "timeout"
    assert gitlab.calls == 1


def test_an_answer_in_drops_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, the last one never would."""
    monkeypatch.setattr(answers, "LONGEST_ANSWER", 0.3)
    listening = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        client, _ = listening.accept()
        with client:
            client.recv(65_536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                for _ in range(100):
                    client.sendall(b"1\r\n \r\n")
                    time.sleep(0.02)
            except OSError:
                return

    threading.Thread(target=drip, daemon=True).start()
    with listening, pytest.raises(Unreachable) as problem:
        GitLab(f"http://127.0.0.1:{listening.getsockname()[1]}", "token").features()
    assert problem.value.kind == "timeout"


def test_an_answer_without_end_is_cut_off(
    simulator: Simulator, gitlab: GitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "LARGEST_ANSWER", 1_000_000)
    simulator.fail(how="not_json", body=b" " * 2_000_000)
    with pytest.raises(BadAnswer, match="larger than"):
        gitlab.features()


def test_of_an_answer_that_is_no_rows_at_all_little_is_kept(gitlab: GitLab, simulator: Simulator) -> None:
    simulator.fail(how="not_json", body=b'[{"name": "good", "gates": []},' + b"{}," * 300_000 + b"{}]")
    with pytest.raises(BadAnswer, match=r"features\[1\]"):
        gitlab.features()
    assert len(gitlab.unread) == 1_000


def test_a_refused_connection_is_no_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    gitlab = GitLab(f"http://127.0.0.1:{port}", "token")
    with pytest.raises(Unreachable) as problem:
        gitlab.features()
    assert problem.value.kind == "connection_refused"
    assert gitlab.calls == 0


def test_a_name_that_nobody_knows_is_no_call() -> None:
    gitlab = GitLab("http://gitlab.invalid", "token")
    with pytest.raises(Unreachable) as problem:
        gitlab.features()
    assert problem.value.kind == "connection_refused"
    assert "gitlab.invalid" in problem.value.words


def test_a_server_that_speaks_no_tls_is_not_trusted(simulator: Simulator) -> None:
    with pytest.raises(Unreachable) as problem:
        GitLab(simulator.url.replace("http://", "https://"), simulator.token).features()
    assert problem.value.kind == "connection_refused"


@pytest.mark.parametrize(
    ("headers", "until"),
    [
        ({"Retry-After": "30"}, NOW + timedelta(seconds=30)),
        ({"Retry-After": "Mon, 23 Nov 2026 12:05:00 GMT"}, NOW + timedelta(minutes=5)),
        ({"RateLimit-Reset": str(int(NOW.timestamp()) + 60)}, NOW + timedelta(minutes=1)),
        ({"Retry-After": "10", "RateLimit-Reset": str(int(NOW.timestamp()) + 60)}, NOW + timedelta(seconds=10)),
        ({"Retry-After": "soon", "RateLimit-Reset": str(int(NOW.timestamp()) + 60)}, NOW + timedelta(minutes=1)),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "9" * 5_000}, NOW + timedelta(days=1)),
        ({"RateLimit-Reset": "9" * 30}, None),
        ({"RateLimit-Reset": "0"}, NOW),
        ({"Retry-After": "٣"}, None),
        ({}, None),
    ],
)
def test_until_when_a_rate_limit_lasts(headers: dict[str, str], until: datetime | None) -> None:
    assert answers.rate_limited_until(headers, NOW) == until


def test_a_rate_limit_says_until_when(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.fail(status=429, headers={"Retry-After": "30"})
    with pytest.raises(RateLimited) as problem:
        gitlab.features()
    assert problem.value.until is not None
    assert timedelta(seconds=25) < problem.value.until - datetime.now(UTC) <= timedelta(seconds=30)


def test_the_simulators_own_rate_limit_is_understood(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.limit_requests(2)
    with pytest.raises(RateLimited) as problem:  # the minute may turn in between
        for _ in range(6):
            gitlab.features()
    assert problem.value.until is not None


SECRET = "glpat-do-not-tell-anybody"


@pytest.mark.parametrize("token", [SECRET, f"{SECRET}\nX-Evil: 1", f"{SECRET}é", f" {SECRET} ", f"{SECRET} {SECRET}"])
def test_the_token_shows_nowhere(simulator: Simulator, caplog: pytest.LogCaptureFixture, token: str) -> None:
    caplog.set_level(logging.DEBUG)
    gitlab = GitLab(simulator.url, token)
    for fault in ({"status": 500}, {"status": 403}, {"how": "drop"}, {"how": "html"}, {}):
        simulator.heal()
        if fault:
            simulator.fail(**fault)  # type: ignore[arg-type]
        with pytest.raises(GitLabProblem) as problem:
            gitlab.features()
        told = "".join(traceback.format_exception(problem.value))
        assert SECRET not in told + repr(problem.value) + repr(vars(problem.value)) + repr(gitlab) + str(gitlab)
    assert SECRET not in caplog.text
    assert isinstance(problem.value, Unauthorized)


def test_credentials_in_the_url_show_nowhere(simulator: Simulator) -> None:
    gitlab = GitLab(simulator.url.replace("http://", f"http://someone:{SECRET}@"), simulator.token)
    assert SECRET not in gitlab.url + repr(gitlab)
    assert gitlab.features() == []


def test_our_name_is_on_every_request(simulator: Simulator, gitlab: GitLab, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    rightful = simulator.server.RequestHandlerClass._token

    def spy(handler: object, query: dict[str, list[str]]) -> str | None:
        seen.append(handler.headers["User-Agent"])  # type: ignore[attr-defined]
        return rightful(handler, query)  # type: ignore[arg-type, no-any-return]

    monkeypatch.setattr(simulator.server.RequestHandlerClass, "_token", spy)
    gitlab.features()
    assert seen == ["model-rollout-portal"]
