"""Brokers as the portal needs them: a doorbell, not a ledger. What is owed is in the database, and beat rings again.

Settings ask here, in every process; so nothing of Celery or Redis is imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: What addresses of brokers name, for Celery (``config.celery``): imported when a connection is made.
TRANSPORTS = {
    "embedded": "config.embedded_broker:Transport",
    "redis": "config.redis_broker:Transport",
    "rediss": "config.redis_broker:Transport",
}


def options(folder: Path) -> dict[str, Any]:
    """Transport options for messages in this folder, which is made if it is missing."""
    for part in ("messages", "control", "processed", "aside"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
        "processed_folder": str(folder / "processed"),
        "aside_folder": str(folder / "aside"),
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
