"""The brokers' transports: what kombu leaves out."""

import pytest
from kombu import Connection
from redis.exceptions import ConnectionError as ConnectionLost

from config.broker import RedisTransport


def test_a_channel_that_was_closed_with_its_connection_says_that_the_connection_is_lost():
    connection = Connection("redis://127.0.0.1:1/0")
    assert isinstance(connection.transport, RedisTransport)
    channel = RedisTransport.Channel.__new__(RedisTransport.Channel)
    channel.connection = None
    with pytest.raises(ConnectionLost) as lost:
        channel._connparams()
    assert isinstance(lost.value, connection.connection_errors)  # what Celery expects, and connects again
