"""The guide's scripts are run as they stand, by the shell and the tools that they name."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from rollouts.models import ApprovalRequest
from rollouts.services import tokens
from tests.walk import World

GUIDE = Path(__file__).parents[2] / "docs/guide/api.md"


def script_with(words: str) -> str:
    """The one block of the guide that has these words, without its prompts."""
    (block,) = (text for text in re.findall(r"```console\n(.*?)```", GUIDE.read_text(), re.DOTALL) if words in text)
    return re.sub(r"^\$ ", "", block, flags=re.MULTILINE)


@pytest.fixture
def portal(transactional_db, live_server, gitlab):
    """A portal that answers over real HTTP, with a request that waits."""
    world = World.build(gitlab)
    world.up_to("team", "requested")

    def run(script: str, name: str) -> str:
        _, token = tokens.issue(world.people[name], "guide", world.actor(name))
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PORTAL": f"{live_server.url}/api/v1", "TOKEN": token}
        done = subprocess.run(["bash", "-euc", script], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return world, run


def test_the_guides_script_approves_what_it_looked_at(portal):
    world, run = portal
    told = run(script_with("/approve"), "alice")
    assert '"Start ' in told
    assert world.phase("team").state == "approved"
    (given,) = ApprovalRequest.objects.get().approvals.all()
    assert (given.approver, given.source, given.digest) == ("alice", "api", given.request.digest)


def test_the_guides_script_is_refused_to_who_asked(portal):
    world, run = portal
    assert "four_eyes" in run(script_with("/approve"), "mia")
    assert world.phase("team").state == "requested"
