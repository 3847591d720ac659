"""Chats by their names, and to which addresses something may be sent."""

from ipaddress import ip_network

import pytest

from rollouts.rules.chat import is_allowed, networks, rooms

LONG = "a" * 50


def test_each_chat_has_a_name_and_an_address():
    assert rooms(f"  team=slack://token/x?a=b   {LONG}=json://h ") == {"team": "slack://token/x?a=b", LONG: "json://h"}
    assert rooms("") == {}


@pytest.mark.parametrize(
    "pair",
    ["team", "team=", "=slack://x", "-a=slack://x", f"{LONG}a=json://h", "a=Slack://x", "a=slack:x", "a=slack://"],
)
def test_what_is_none_is_named_by_its_number_and_never_repeated(pair):
    with pytest.raises(ValueError, match="entry 2 is no name with an address") as refused:
        rooms(f"team=slack://secret {pair}")
    assert "secret" not in str(refused.value)


def test_no_name_stands_twice():
    with pytest.raises(ValueError, match="team is there twice"):
        rooms("team=slack://a team=slack://b")


def test_networks_of_ones_own():
    assert networks("10.1.0.0/16, 127.0.0.1 ::1") == list(map(ip_network, ("10.1.0.0/16", "127.0.0.1/32", "::1/128")))
    with pytest.raises(ValueError, match="«here» names no networks"):
        networks("here")


@pytest.mark.parametrize(
    ("address", "own", "allowed"),
    [
        ("8.8.8.8", "", True),
        ("2001:4860:4860::8888", "", True),
        ("10.1.2.3", "", False),
        ("10.1.2.3", "10.1.0.0/16", True),
        ("10.2.2.3", "10.1.0.0/16", False),
        ("::ffff:10.1.2.3", "10.1.0.0/16", True),
        ("::ffff:10.1.2.3", "", False),
        ("::ffff:8.8.8.8", "", True),
        ("fe80::1%eth0", "", False),
        ("fe80::1%eth0", "fe80::/10", True),
        ("224.0.0.1", "", False),
        ("169.254.169.254", "", False),
        ("chat.example.com", "0.0.0.0/0", False),
    ],
)
def test_private_addresses_are_refused_but_for_ones_own(address, own, allowed):
    assert is_allowed(address, networks(own)) is allowed
