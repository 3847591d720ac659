"""Scripts with tokens, as they come over HTTP."""

from __future__ import annotations

import pytest

from rollouts.services import tokens
from tests.api.scripts import Script


@pytest.fixture
def script(world):
    """``script("mia")`` is a script with a fresh token of mia; ``script()`` one without."""

    def do(name=None):
        if name is None:
            return Script()
        return Script(tokens.issue(world.people[name], "tests", world.actor(name))[1])

    return do


@pytest.fixture
def refused():
    """Check that an answer is a problem document of this status; gives it."""

    def do(response, status, code=None):
        assert response.status_code == status, response.content
        assert response["Content-Type"] == "application/problem+json"
        answer = response.json()
        assert answer["status"] == status
        assert {"type", "title", "detail"} < answer.keys()
        assert "Traceback" not in response.content.decode()
        assert "<" not in answer["title"]
        if code:
            assert code in {blocker["code"] for blocker in answer["blockers"]}
        return answer

    return do
