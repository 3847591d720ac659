"""What a person is told at every address there is."""

from __future__ import annotations

from itertools import islice

from django.test import Client

from rollouts.services import tokens
from tests.addresses import every_address
from tests.portal.pages import signed_in

MOST_OF_ONE_ROUTE = 40


def readers(world, name):
    """The same person with a browser and with a token."""
    _, token = tokens.issue(world.people[name], "crawl", world.actor(name))
    return signed_in(world, name), Client(headers={"Authorization": f"Bearer {token}"})


def told_by(answer):
    """What stands in an answer, streamed or not."""
    body = b"".join(islice(answer, 200)) if answer.streaming else answer.content
    return body.decode(errors="replace")


def crawl(world, name):
    """What the person is told at every address there is: address to words, where it is told at all."""
    browser, program = readers(world, name)
    found = {}
    for route, addresses in every_address(world).items():
        client = program if route.startswith("api/") else browser
        for address in addresses[:MOST_OF_ONE_ROUTE]:
            answer = client.get(address)
            assert answer.status_code < 500, address
            found[address] = answer.status_code, told_by(answer)
    return found
