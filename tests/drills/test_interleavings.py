"""Drill: many walks on a PostgreSQL of their own; ``tests/services/test_interleavings.py`` says what must hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WALKS = 40


@pytest.mark.drill
@pytest.mark.timeout(3000)
def test_many_walks_hold_on_postgresql():
    done = subprocess.run(
        [sys.executable, "-m", "tests.on_services", "-q", "tests/services/test_interleavings.py"],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "INTERLEAVINGS": str(WALKS)},
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"\n{WALKS} walks: {done.stdout.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stdout[-20_000:]
