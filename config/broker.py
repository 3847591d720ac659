"""Brokers as the portal needs them: a doorbell, not a ledger. What is owed is in the database, and beat rings again.

The one that needs no server is kombu's file transport with messages that appear whole. Stock ``filesystem://`` creates
a message's file empty and then writes it; a consumer that looks in between takes an empty message and dies (kombu
issue 1551). Here a message is written under another name and then renamed.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from time import time_ns
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem, redis
from kombu.utils.encoding import str_to_bytes
from kombu.utils.json import dumps
from redis.exceptions import ConnectionError as ConnectionLost


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        # Names sort by time across processes and restarts, so messages are taken in the order they were sent.
        name = f"{time_ns():020d}_{uuid.uuid4().hex}.{queue}.msg"
        unfinished = folder / f".{name}.unfinished"
        try:
            unfinished.write_bytes(str_to_bytes(dumps(payload)))
            os.replace(unfinished, folder / name)
        except OSError as error:
            raise ChannelError(f"the message can't be written to {folder}: {error.strerror}") from error


class Transport(filesystem.Transport):
    Channel = Channel
    driver_type = "embedded"
    driver_name = "embedded"


class RedisChannel(redis.Channel):
    """A channel that was closed with its connection says that the connection is lost.

    Kombu 5.7 says ``AttributeError: 'NoneType' object has no attribute 'client'`` to the task that acknowledges its
    message just then, which nobody expects: the worker stops, and stands there without working.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionLost("The broker's connection was closed meanwhile.")
        return super()._connparams(asynchronous)


class RedisTransport(redis.Transport):
    Channel = RedisChannel


def register() -> None:
    """Let ``embedded://`` and ``redis://`` name these transports."""
    TRANSPORT_ALIASES["embedded"] = "config.broker:Transport"
    for name in ("redis", "rediss"):
        TRANSPORT_ALIASES[name] = "config.broker:RedisTransport"


def options(folder: Path) -> dict[str, Any]:
    """Transport options for messages in this folder, which is made if it is missing."""
    for part in ("messages", "control", "processed"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
        "processed_folder": str(folder / "processed"),
        "polling_interval": 0.1,
    }


def hasty(url: str) -> dict[str, Any]:
    """For a broker server that is down or silent: who presses a button does not wait for it, beat rings later.

    kombu tries for seconds to reach one that refuses, and without a socket's timeout waits for ever for one that took
    the connection and says nothing. A worker's own waiting for messages asks once a second, well below the timeout.
    """
    options: dict[str, Any] = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
    if url.startswith(("redis", "sentinel", "valkey")):
        options |= {"socket_connect_timeout": 2, "socket_timeout": 3}
    return options
