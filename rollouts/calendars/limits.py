"""What the child may use: seconds, memory, one small file of output; no network, no other program."""

from __future__ import annotations

import os
import resource
import signal
import sys
from types import FrameType
from typing import Any

CPU_SECONDS = 5
#: For the answer that it took too long: whoever is still at work then is killed.
GRACE = 5
#: By the clock on the wall, on a busy machine; who waits for the child kills it 10 seconds later.
WALL_SECONDS = 15.0
MEMORY = 512 * 1024 * 1024
MOST_OUTPUT = 8 * 1024 * 1024
FILES = 32

#: What Python asks before it does it (sys.audit); libraries that read a calendar have no business with any of it.
_SHUT = ("socket.", "subprocess.", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system",
         "ctypes.", "urllib.", "os.remove", "os.rename", "shutil.")  # fmt: skip


class TooLong(BaseException):
    """The seconds are used up. No ``Exception``: the libraries catch those."""


class Shut(PermissionError):
    """The child tried what it may not."""


def confine() -> None:
    """Bind this process, for good, before it looks at anything of a stranger's."""
    for asked in (signal.SIGXCPU, signal.SIGALRM):
        signal.signal(asked, _used_up)
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    for what, most in (
        (resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + GRACE)),
        (resource.RLIMIT_AS, (MEMORY, MEMORY)),
        (resource.RLIMIT_FSIZE, (MOST_OUTPUT, MOST_OUTPUT)),
        (resource.RLIMIT_NOFILE, (FILES, FILES)),
        (resource.RLIMIT_CORE, (0, 0)),
    ):
        resource.setrlimit(what, most)
    sys.addaudithook(_door)


def _used_up(signum: int, frame: FrameType | None) -> None:
    """Once: the kernel asks again each second, and the answer must still be written."""
    for asked in (signal.SIGXCPU, signal.SIGALRM):
        signal.signal(asked, signal.SIG_IGN)
    raise TooLong


def _door(event: str, args: tuple[Any, ...]) -> None:
    if event.startswith(_SHUT):
        raise Shut(f"a calendar is read without {event}")
    if event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        raise Shut("a calendar is read without writing files")
