"""The broker that needs no server: kombu's file transport with messages that appear whole.

Stock ``filesystem://`` creates a message's file empty and then writes it; a consumer that looks in between takes
an empty message and dies (kombu issue 1551). Here a message is written under another name and then renamed.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from time import time_ns
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.encoding import str_to_bytes
from kombu.utils.json import dumps


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


def register() -> None:
    """Let ``embedded://`` name this transport."""
    TRANSPORT_ALIASES["embedded"] = "config.broker:Transport"


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
