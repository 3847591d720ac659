"""The broker that needs no server: kombu's file transport with messages that appear whole.

Stock ``filesystem://`` creates
a message's file empty and then writes it; a consumer that looks in between takes an empty message and dies (kombu
issue 1551). Here a message is written under another name, brought to the disk, and then renamed. A file that can't be
read, because the disk was full or somebody has put it there, is set aside: it stops no worker.
"""

from __future__ import annotations

import fcntl
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem, virtual
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads

log = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        # Names sort by time across processes and restarts, so messages are taken in the order they were sent.
        name = f"{time_ns():020d}_{uuid.uuid4().hex}{_expiry(payload)}.{queue}.msg"
        unfinished = folder / f".{name}.unfinished"
        try:
            _waiting(folder)  # who only sends, while nobody takes, leaves no more than what still counts
            _write_whole(folder / name, unfinished, str_to_bytes(dumps(payload)))
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink()
            raise ChannelError(f"the message can't be written to {folder}: {error.strerror}") from error

    def _get(self, queue: str, timeout: Any = None) -> Any:
        """The oldest message; who renames its file first has it."""
        folder, taken = Path(self.data_folder_in), Path(self.processed_folder)
        for name in _waiting(folder):
            if name.startswith(".") or name.partition(".")[2] != f"{queue}.msg":
                continue
            try:
                os.rename(folder / name, taken / name)
            except OSError:  # another worker was faster
                continue
            try:
                payload = self._understood((taken / name).read_bytes())
            except Exception as error:  # whatever it is, the next message may be good
                self._set_aside(taken / name, error)
                continue
            (taken / name).unlink(missing_ok=True)
            return payload
        raise Empty

    def _understood(self, content: bytes) -> Any:
        """The message in a file. Raises where the consumer would die of it."""
        payload = loads(bytes_to_str(content))
        virtual.Message(payload, channel=self)
        told = payload["properties"]["delivery_info"]
        if not isinstance(told["exchange"], str) or not isinstance(told["routing_key"], str):
            raise TypeError("it says not where it belongs")
        return payload

    def get_table(self, exchange: str) -> list[Any]:
        """Which queues hear this exchange; where its file is gone or can't be read, those that this process knows."""
        file = self._exchange_file(exchange)
        try:
            return [filesystem.exchange_queue_t(*each) for each in loads(bytes_to_str(file.read_bytes()))]
        except FileNotFoundError:
            pass
        except Exception as error:
            self._set_aside(file, error)
        bound = [each for each in self.state.bindings if each.exchange == exchange]
        return [filesystem.exchange_queue_t(each.routing_key or "", "", each.queue) for each in bound]

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        file = self._exchange_file(exchange)
        mine = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        try:
            with _alone_with(file):
                known = self.get_table(exchange)
                if mine not in known:
                    unfinished = file.with_name(f".{file.name}.unfinished")
                    _write_whole(file, unfinished, str_to_bytes(dumps([mine, *known])))
        except OSError as error:
            raise ChannelError(f"{file} can't be written: {error.strerror}") from error

    def _set_aside(self, file: Path, error: Exception) -> None:
        aside = self._aside / f"{time_ns():020d}_{file.name.lstrip('.')}"
        log.error("the broker's file %s can't be read (%r): set aside as %s", file, error, aside)
        with suppress(OSError):
            self._aside.mkdir(parents=True, exist_ok=True)
            os.rename(file, aside)

    @property
    def _aside(self) -> Path:
        return Path(self.connection.client.transport_options["aside_folder"])


def _expiry(payload: Any) -> str:
    """When a task's message expires, as its file's name says it; nothing where it never does."""
    until = payload["headers"].get("expires")
    return f"_{int(datetime.fromisoformat(until).timestamp() * 1e9):020d}" if isinstance(until, str) else ""


def _waiting(folder: Path) -> list[str]:
    """The files in this folder, oldest first. Messages that have expired are gone, without a look into them."""
    now, names = time_ns(), []
    for name in sorted(os.listdir(folder)):
        until = name.partition(".")[0].split("_")[2:]
        if until and until[0].isdecimal() and int(until[0]) < now:
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        else:
            names.append(name)
    return names


def _write_whole(file: Path, unfinished: Path, content: bytes) -> None:
    """It is there whole or not at all, also after the power was lost."""
    with unfinished.open("wb") as written:
        written.write(content)
        written.flush()
        os.fsync(written.fileno())
    os.replace(unfinished, file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _alone_with(file: Path) -> Iterator[None]:
    """No other process binds to the same exchange meanwhile."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Transport(filesystem.Transport):
    Channel = Channel
    driver_type = "embedded"
    driver_name = "embedded"
