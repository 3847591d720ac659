"""``make bench-start``: how long the portal's processes take to start, beside a bare Django with the same contrib apps.

Goal: at most 1.7 × the bare one, each. Seconds are of the processor: a busy machine makes nothing slower here. What
was imported for it is printed too, the dearest packages first, as ``python -X importtime`` tells.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]
ROOT, BARE = Path(__file__).resolve().parents[2], Path(__file__).parent / "bare"
TIMES = int(os.environ.get("TIMES", "9"))
GOAL = 1.7
TEST = str(BARE / "test_nothing.py")
PYTEST = "-m pytest -q -s -p no:cacheprovider --import-mode importlib".split()
#: What is started: of the bare one, and of the portal.
STARTS: dict[str, tuple[list[str], list[str]]] = {
    "manage.py version": (["-m", "django", "version"], ["manage.py", "version"]),
    "import config.wsgi": (["-c", "import bare.wsgi"], ["-c", "import config.wsgi"]),
    "celery worker": (["-m", "bare.worker", "bare"], ["-m", "bare.worker", "config"]),
    "test worker": (
        [*PYTEST, "-c", os.devnull, "--rootdir", str(BARE), "--confcutdir", str(BARE), TEST],
        [*PYTEST, TEST],
    ),
}


def seconds(command: list[str], folder: Path, settings: str) -> tuple[float, str]:
    """Of the processor, until this Python has ended well; and what it said on stderr."""
    environment = {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
        "PYTHONPATH": os.pathsep.join((str(BARE.parent), str(ROOT))),
        "DJANGO_SETTINGS_MODULE": settings,
        "DATA_DIR": str(folder),
        "PYTHONWARNINGS": "ignore",
    }
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    said = (folder / "err").read_text()
    assert process.returncode == 0, (folder / "out").read_text() + said
    return used.ru_utime + used.ru_stime, said


def dearest(importtime: str) -> str:
    """The packages whose modules took longest by themselves, with their milliseconds; ours by room."""
    taken: Counter[str] = Counter()
    for line in importtime.splitlines():
        own, _, name = line.removeprefix("import time:").partition("|")
        if line.startswith("import time:") and own.strip().isdecimal():
            parts = name.rpartition("|")[2].strip().split(".")
            taken[".".join(parts[: 2 if parts[0] == "rollouts" else 1])] += int(own)
    return ", ".join(f"{name} {micro / 1000:.0f}" for name, micro in taken.most_common(12))


@pytest.mark.parametrize("start", STARTS)
def test_start(start, tmp_path, capsys):
    bare, ours = STARTS[start]
    settings = {"bare": "bare.settings", "ours": "tests.settings" if start == "test worker" else "config.settings"}
    taken: dict[str, list[float]] = {"bare": [], "ours": []}
    for turn in range(TIMES + 1):  # by turns; the first writes .pyc files and is not counted
        for which, command in (("bare", bare), ("ours", ours)):
            used, _ = seconds(command, tmp_path, settings[which])
            taken[which] += [used] if turn else []
    _, said = seconds(["-X", "importtime", *ours], tmp_path, settings["ours"])
    floor, middle = statistics.median(taken["bare"]), statistics.median(taken["ours"])
    with capsys.disabled():
        print(f"\n{start:20} {middle:5.2f} s, bare {floor:5.2f} s: {middle / floor:4.2f} ×\n  ms: {dearest(said)}")
    assert middle <= GOAL * floor
