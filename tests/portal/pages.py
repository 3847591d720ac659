"""Somebody at a browser, and what a page says to them."""

from __future__ import annotations

from django.test import Client


def signed_in(world, name="vic", **browser):
    """A browser (made as ``django.test.Client`` takes it) at which this person has signed in."""
    client = Client(**browser)
    client.force_login(world.people[name])
    return client


def sign_in(client, name, password):
    return client.post("/accounts/login/", {"username": name, "password": password})


def browser(name, password):
    """Somebody at a browser of their own, who has signed in by the page."""
    client = Client()
    response = sign_in(client, name, password)
    assert response.status_code == 302, response.content.decode()
    return client


def words(response):
    """The whole page on one line."""
    return " ".join(response.content.decode().split())
