"""Drill: another process holds SQLite for twenty seconds. Reads go on, changes are refused soon, then all is well."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from urllib.parse import urlencode

import pytest

from gitlab_simulator import Simulator
from tests.drills.portal import QUICK, Ground, end_of, seed, wait_until
from tests.on_services import free_port

pytestmark = [pytest.mark.drill, pytest.mark.timeout(600)]
HELD = 20.0
SECRET = "a secret for the drill"


def ask(port, method, path, body="", **headers):
    """Status and seconds of one answer."""
    begun, connection = time.monotonic(), http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(method, path, body, {"Host": "localhost", **headers})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, time.monotonic() - begun, answer


def test_twenty_seconds_of_somebody_elses_writing(tmp_path):
    port = free_port()
    with Simulator() as gitlab:
        seed(gitlab, 1)
        ground = Ground(tmp_path, gitlab, **QUICK, GITLAB_WEBHOOK_SECRET=SECRET)
        ground.prepare(1)
        ground.run("manage.py", "collectstatic", "--noinput", "-v0")
        token = ground.run("manage.py", "api_token", "mia", "--name", "drill").split()[-1]
        web = ground.spawn("-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "16")
        told: dict[str, list[tuple[int, float]]] = {}
        try:
            wait_until(lambda: _answers(port))
            hook = json.dumps({"object_kind": "issue", "project": {"id": gitlab.state.project("acme/app0")["id"],
                               "path_with_namespace": "acme/app0"},
                               "object_attributes": {"iid": 12, "state": "closed", "updated_at": "2026-11-28 10:00:00 UTC"}})  # fmt: skip
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            page = http.client.HTTPConnection("127.0.0.1", port)
            page.request("GET", "/accounts/login/", headers={"Host": "localhost"})
            got = page.getresponse()
            cookie = got.headers["Set-Cookie"].split(";")[0]
            csrf = got.read().decode().split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
            login = urlencode({"username": "mia", "password": "rollout", "csrfmiddlewaretoken": csrf})
            doors = {
                "read by token": ("GET", "/api/v1/rollouts", "", {"Authorization": f"Bearer {token}"}),
                "sign-in page": ("GET", "/accounts/login/", "", {}),
                "sign-in": ("POST", "/accounts/login/", login, {**form, "Cookie": cookie}),
                "webhook": (
                    "POST",
                    "/hooks/gitlab/",
                    hook,
                    {"X-Gitlab-Token": SECRET, "Content-Type": "application/json"},
                ),
                "readiness": ("GET", "/readyz", "", {}),
            }
            lock = threading.Thread(target=ground.lock_database, args=(HELD,))
            lock.start()
            time.sleep(1)
            asking = [
                threading.Thread(target=_ask_twice, args=(port, name, door, told)) for name, door in doors.items()
            ]
            for thread in asking:
                thread.start()
            for thread in asking:
                thread.join()
            lock.join()
            after = {name: ask(port, *door[:3], **door[3])[0] for name, door in doors.items() if name != "readiness"}
        finally:
            end_of(web)
        for name, answers in told.items():
            print(
                f"\n{name}: {dict(Counter(status for status, _ in answers))}, at most {max(s for _, s in answers):.1f} s"
            )
        assert {status for status, _ in told["read by token"] + told["sign-in page"]} == {200}
        assert {status for name in ("sign-in", "webhook", "readiness") for status, _ in told[name]} == {503}
        assert (after["sign-in"], after["read by token"], after["webhook"] // 100) == (302, 200, 2)


def _ask_twice(port, name, door, told):
    told[name] = [ask(port, *door[:3], **door[3])[:2] for _ in range(2)]


def _answers(port):
    try:
        return ask(port, "GET", "/healthz")[0] == 200
    except OSError:
        return False
