"""Redis as a broker: kombu's transport, where it closes a connection under a task."""

from __future__ import annotations

from typing import Any

from kombu.transport import redis
from redis.exceptions import ConnectionError as ConnectionLost


class Channel(redis.Channel):
    """A channel that was closed with its connection says that the connection is lost.

    Kombu 5.7 says ``AttributeError: 'NoneType' object has no attribute 'client'`` to the task that acknowledges its
    message just then, which nobody expects: the worker stops, and stands there without working.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionLost("The broker's connection was closed meanwhile.")
        return super()._connparams(asynchronous)


class Transport(redis.Transport):
    Channel = Channel
