"""Where mail and chat may go: no private address but in networks that the operator names (``PRIVATE_NETWORKS``).

It is looked at when a connection is made, after names were looked up, so a name that turns private meanwhile and a
redirect are seen too. Python tells its audit hooks of each connection before it is made; ours minds the threads that
asked for it (docs/decisions/0121-addresses-when-they-are-used.md).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from ..rules.chat import is_allowed

_here = threading.local()
_once = threading.Lock()
_is_listening = False


class PrivateAddress(OSError):
    """The address is private, and in no network of ``PRIVATE_NETWORKS``."""


@contextmanager
def guarded() -> Iterator[list[str]]:
    """In this block this thread connects to no private address; gives those that it was kept from."""
    _listen()
    kept_from: list[str] = []
    before, _here.kept_from = getattr(_here, "kept_from", None), kept_from
    try:
        yield kept_from
    finally:
        _here.kept_from = before


def _listen() -> None:
    global _is_listening
    with _once:
        if not _is_listening:
            sys.addaudithook(_mind)
            _is_listening = True


def _mind(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("socket.connect", "socket.sendto"):
        return
    kept_from = getattr(_here, "kept_from", None)
    if kept_from is None:
        return
    address = arguments[1]
    if not isinstance(address, tuple):
        return  # a socket of this machine's own: a database, a log
    host = str(address[0])
    if not is_allowed(host, settings.PRIVATE_NETWORKS):
        kept_from.append(host)
        raise PrivateAddress(f"{host} is a private address: name its network in PRIVATE_NETWORKS")
