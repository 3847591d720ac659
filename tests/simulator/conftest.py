"""The simulator, asked over real HTTP. No database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from gitlab_simulator import Simulator

Ask = Callable[..., requests.Response]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as started:
        yield started


@pytest.fixture
def ask(simulator: Simulator) -> Iterator[Ask]:
    """``ask("GET", "/features")`` as the administrator; ``token=None`` as nobody."""
    session = requests.Session()
    session.trust_env = False

    def send(verb: str, path: str, token: str | None = simulator.token, **options: Any) -> requests.Response:
        headers = {"PRIVATE-TOKEN": token} if token else {}
        headers |= options.pop("headers", {})
        return session.request(verb, f"{simulator.url}/api/v4{path}", headers=headers, timeout=10, **options)

    yield send
    session.close()
