"""Addresses of servers that the portal asks: what one may look like, and when two are the same server.

A secret goes to one origin and to no other, so they are compared in one form; what is sent over the open network is
encrypted; and no address holds a user name or password, for it is shown to everybody who looks.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from . import names, origins
from .phrases import invalid, shorten

_IMPLIED = {"http": 80, "https": 443}


def server_address(value: str, *, private: bool = False) -> str:
    """The address of something that the portal asks, as it was written: https, or plain http on this very machine.

    ``private``: the operator vouches for the network on the way, plain http may go there. Raises ValueError with a
    sentence for the person; it does not repeat a password that stands in the address.
    """
    written = value.strip()
    parts = urlsplit(names.web_address(written))
    if parts.scheme == "http" and not private and not is_loopback(parts.hostname or ""):
        raise invalid(
            "«{written}» is plain http: what is sent there can be read on the way. Write it with https://; "
            "http:// is for this machine alone (localhost, 127.0.0.1, [::1]).",
            written=shorten(written),
        )
    return written


def base_address(value: str, *, private: bool = False) -> str:
    """The address of a server as it is kept and compared: ``https://gitlab.example.com/prefix``.

    Small letters, no port that the scheme implies, no slash at the end. Raises ValueError as ``server_address`` does,
    and for a query or a fragment.
    """
    parts = urlsplit(server_address(value, private=private))
    if parts.query or parts.fragment:
        raise invalid(
            "«{written}» has a part that no base address has. Leave out what begins with ? or #.",
            written=shorten(value),
        )
    return _origin(parts) + parts.path.rstrip("/")


def origin(value: str) -> str:
    """Scheme, host and port of an http(s) address as browsers write them. Raises ValueError for what is none."""
    parts = urlsplit(value.strip())
    if parts.scheme not in _IMPLIED or not parts.hostname:
        raise invalid("«{written}» is not a web address.", written=shorten(value))
    return _origin(parts)


def is_loopback(host: str) -> bool:
    """Whether this host is the machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _origin(parts: SplitResult) -> str:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    is_implied = parts.port in (None, _IMPLIED[parts.scheme])
    return f"{parts.scheme}://{host}" if is_implied else f"{parts.scheme}://{host}:{parts.port}"


def concealed(value: object) -> str:
    """That there is one, and nothing of it."""
    return "…" if value else ""


def server_of(address: str) -> str:
    """Of an address the server alone: its path and query may be all that somebody needs."""
    try:
        return f"{origins.origin(address)}/…"
    except ValueError:
        return concealed(address)
