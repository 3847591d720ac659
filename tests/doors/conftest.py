"""Every door of the portal, opened in one way each: a page, the admin, the API, a command."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from rollouts.services import tokens
from tests.api.scripts import Script


class Doors:
    """What one person finds behind each door."""

    def __init__(self, world: Any, name: str) -> None:
        self.name = name
        self.browser = Client()
        self.browser.force_login(world.people[name])
        self.script = Script(tokens.issue(world.people[name], "doors", world.actor(name))[1])

    def page(self, path: str, query: Any = None) -> Any:
        """A page's answer: what it shows is in its ``context``."""
        return self.browser.get(path, query or {})

    def press(self, path: str, **form: Any) -> Any:
        return self.browser.post(path, form)

    def api(self, path: str, query: Any = None) -> Any:
        return self.script.get(path, query).json()

    def command(self, *arguments: str) -> tuple[Any, int]:
        """What ``--json`` prints, and the exit."""
        out, exit_code = StringIO(), 0
        try:
            call_command(*arguments, "--as", self.name, "--json", stdout=out, stderr=StringIO())
        except SystemExit as stop:
            exit_code = int(stop.code or 0)
        except CommandError as error:
            return str(error), error.returncode
        return json.loads(out.getvalue()), exit_code


@pytest.fixture
def doors(world):
    """``doors("mia")`` are all doors as mia finds them."""
    return lambda name: Doors(world, name)
