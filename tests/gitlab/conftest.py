"""The client against the simulator, over real HTTP. No database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitlab_simulator import Simulator
from rollouts.gitlab import GitLab


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as started:
        yield started


@pytest.fixture
def gitlab(simulator: Simulator) -> GitLab:
    return GitLab(simulator.url, simulator.token)


@pytest.fixture
def app(simulator: Simulator) -> int:
    """The id of the project acme/app."""
    return simulator.state.add_project("acme/app")
