"""Chats that are told: each has a name in the environment, and its address, which is a secret, stands nowhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from .phrases import invalid, shorten

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}\Z")
_ADDRESS = re.compile(r"[a-z][a-z0-9+-]*://\S+\Z")
Network = IPv4Network | IPv6Network


def rooms(written: str) -> dict[str, str]:
    """Read ``name=slack://… name=…``: address by name. Raises ValueError with a sentence that repeats no address."""
    found: dict[str, str] = {}
    for number, pair in enumerate(written.split(), 1):
        name, _, address = pair.partition("=")
        if not _NAME.match(name) or not _ADDRESS.match(address):
            raise invalid(
                "entry {number} is no name with an address of Apprise. Write name=slack://…, with blanks between.",
                number=number,
            )
        if name in found:
            raise invalid("{name} is there twice. Give one of them another name.", name=name)
        found[name] = address
    return found


def networks(written: str) -> list[Network]:
    """Read ``10.1.0.0/16 127.0.0.1``. Raises ValueError with a sentence."""
    try:
        return [ip_network(one) for one in written.replace(",", " ").split()]
    except ValueError:
        raise invalid(
            "«{written}» names no networks. Write them like 10.1.0.0/16, with blanks between.",
            written=shorten(written),
        ) from None


def is_allowed(address: str, own: Sequence[Network]) -> bool:
    """Whether something may be sent to this IP address: to a public one, or into a network that is named as one's own.

    What is no IP address is not looked up here, so it is refused.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    is_public = found.is_global and not found.is_multicast
    return is_public or any(found.version == network.version and found in network for network in own)
