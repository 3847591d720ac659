"""What all tests stand on: a fast, closed configuration, no leftovers, and data only where it was asked for."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from tests.on_services import is_same_anywhere

SHARED = Path(__file__).resolve().parents[2] / "shared"


def profiles(name):
    """What properties are tried with. How long an example takes says how busy the machine is, nothing of the property."""
    from hypothesis import settings

    settings.register_profile("ci", max_examples=50, deadline=None)
    settings.register_profile("deep", max_examples=1_000, deadline=None)  # for drills
    settings.load_profile(name)


def pytest_configure(config):
    config.has_profile = bool(chosen := config.getoption("--hypothesis-profile"))
    if chosen:
        profiles(chosen)


def pytest_collectstart(collector):
    """Before the first file with properties is read: who runs others does not wait for hypothesis."""
    is_module = isinstance(collector, pytest.Module) and not collector.config.has_profile
    if is_module and b"hypothesis" in collector.path.read_bytes():
        profiles("ci")
        collector.config.has_profile = True


def pytest_collection_modifyitems(items):
    for item in items:
        commits = (of_database := item.get_closest_marker("django_db")) and of_database.kwargs.get("transaction")
        if is_same_anywhere(item.path) and not commits and not item.get_closest_marker("on_both"):
            item.add_marker("same_anywhere")
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            if os.environ.get("CI") == "true":
                continue  # CI has the data: let the test fail loudly
            item.add_marker(pytest.mark.skip(reason="the real GitLab data in ../shared is not here"))


def pytest_collection_finish():
    """What was imported stays: to walk through it again and again for garbage took a seventh of the time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Transactional tests leave the database as migrations left it, row by row: what a flush does, in a tenth of its time."""
    from django.test import TransactionTestCase

    from tests.worlds import Blank

    with django_db_blocker.unblock():
        Blank.note()
    flush, TransactionTestCase._fixture_teardown = TransactionTestCase._fixture_teardown, lambda self: Blank.restore()
    yield
    TransactionTestCase._fixture_teardown = flush


@pytest.fixture(autouse=True)
def _who_patches_walks_alone(monkeypatch):
    from tests.worlds import Memory

    Memory.is_open = lambda self: not (monkeypatch._setattr or monkeypatch._setitem)


@pytest.fixture
def shared() -> Path:
    """The real GitLab data; only for tests marked ``shared``."""
    return SHARED


@pytest.fixture
def gitlab(settings):
    """A simulated GitLab over real HTTP, and the portal's settings pointed at it."""
    from gitlab_simulator import Simulator

    with Simulator() as simulator:
        settings.GITLAB_URL = simulator.url
        settings.GITLAB_TOKEN = simulator.token
        yield simulator


@pytest.fixture
def world(db, gitlab):
    """GitLab, people and rollouts that walk legal paths (tests.walk)."""
    from tests.walk import World

    return World.build(gitlab)
