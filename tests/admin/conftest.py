"""Clients for the people of the world."""

from __future__ import annotations

import pytest
from django.test import Client


@pytest.fixture
def client_of(world):
    """``client_of("mia")`` is a browser in which mia is signed in."""

    def do(name):
        client = Client()
        client.force_login(world.people[name])
        return client

    return do
