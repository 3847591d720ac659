"""Bodies without a length, as clients send them that write while they read: over gunicorn, as the portal is served."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from config.chunked import LARGEST
from rollouts.rules.document import LIMIT
from rollouts.services import tokens

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
SECRET = "hook-secret"


def database_url():
    kept = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{kept['NAME']}"
    return f"postgres://{kept['USER']}:{kept['PASSWORD']}@{kept['HOST']}:{kept['PORT']}/{kept['NAME']}"


@pytest.fixture
def served(world):
    """The port of a gunicorn that serves the portal over the database of the tests."""
    environment = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "DATABASE_URL": database_url(),
        "DEBUG": "true",  # pages without collectstatic
        "GITLAB_URL": world.gitlab.url, "GITLAB_TOKEN": world.gitlab.token, "GITLAB_WEBHOOK_SECRET": SECRET,
    }  # fmt: skip
    command = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", "127.0.0.1:0", "--threads", "2"]
    web = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        lines = iter(web.stderr.readline, "")
        port = next(
            int(match[1]) for line in lines if (match := re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", line))
        )
        yield port
    finally:
        web.send_signal(signal.SIGTERM)
        web.communicate(timeout=60)


@pytest.fixture
def ask(served, world):
    """``ask("POST", path, pieces)`` sends the pieces as chunks with mia's token; gives status and JSON or text."""
    token = tokens.issue(world.people["mia"], "tests", world.actor("mia"))[1]

    def do(method, path, pieces, **headers):
        headers = {
            "Host": "localhost",
            "Content-Type": "application/json",
            "Authorization": f"Bearer {token}",
            **headers,
        }
        caller = http.client.HTTPConnection("127.0.0.1", served)
        caller.request(method, path, iter(pieces), headers, encode_chunked=True)
        answer = caller.getresponse()
        text = answer.read().decode()
        caller.close()
        return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text

    return do


def test_what_a_chunked_body_says_counts(world, ask):
    world.up_to("everyone", "active")
    path = "/api/v1/rollouts/haiku/phases/everyone/pause"
    status, told = ask("POST", path, [b'{"reason": "slow", ', b'"seen": 99', b"9999}"])
    assert (status, told["blockers"][0]["code"]) == (409, "changed_meanwhile")
    status, told = ask("POST", path, [b'{"reason": "slow", "seen": "x"}'])
    assert (status, told["errors"][0]["name"]) == (422, "seen")
    assert ask("POST", path, [b"{"])[0] == 400
    assert world.phase("everyone").state == "active"
    seen = world.phase("everyone").version
    assert ask("POST", path, [json.dumps({"reason": "slow", "seen": seen}).encode()])[0] == 200
    assert world.phase("everyone").reason == "slow"


def test_a_plan_may_come_in_chunks_and_is_bounded_like_any(world, ask):
    document = world.document().encode()
    pieces = [document[at : at + 100] for at in range(0, len(document), 100)]
    status, told = ask("PUT", "/api/v1/rollouts/haiku/plan", pieces, **{"Content-Type": "application/yaml"})
    assert (status, told["created"]) == (201, True)
    large = (b"#" * 65_536 for _ in range(LIMIT // 65_536 + 1))
    assert ask("PUT", "/api/v1/rollouts/haiku/plan", large, **{"Content-Type": "application/yaml"})[0] == 413


def test_what_has_no_end_is_refused_everywhere_before_it_is_kept(world, ask):
    world.apply()
    pieces = [b"x" * 1024 * 1024] * (LARGEST // 1024 // 1024 + 1)
    status, told = ask("PUT", "/api/v1/rollouts/haiku/plan", pieces, **{"Content-Type": "application/yaml"})
    assert (status, told["status"], told["title"]) == (413, 413, "Request Entity Too Large")
    assert ask("POST", "/hooks/gitlab/", pieces)[0] == 413
    status, page = ask("POST", "/accounts/login/", pieces, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert status == 413
    assert "larger than the portal reads" in page


def test_a_webhook_may_come_in_chunks(world, ask):
    world.apply()
    world.sync()
    hook = {"object_kind": "issue", "project": {"id": 1, "path_with_namespace": "acme/app"}, "object_attributes": {}}
    body = json.dumps(hook).encode()
    headers = {"X-Gitlab-Token": SECRET, "X-Gitlab-Event": "Issue Hook"}
    halves = [body[:20], body[20:]]
    assert ask("POST", "/hooks/gitlab/", halves, **headers)[0] in (202, 204)
    assert ask("POST", "/hooks/gitlab/", [b"{"], **headers)[1].startswith("Taken, and not understood")
