"""A portal for a drill: a database, a broker and processes of its own, all of which may be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rollouts.simulator import Simulator

ROOT = Path(__file__).resolve().parents[2]


class Ground:
    """A portal with a database and a broker of its own; processes that can be killed."""

    def __init__(self, folder: Path, gitlab: Simulator, **more: str) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "DATA_DIR": str(folder),
            "GITLAB_URL": gitlab.url,
            "GITLAB_TOKEN": gitlab.token,
            "GITLAB_WRITES": "flags",
            "SECRET_KEY": "drill",
            "OUTBOX_CLAIM_SECONDS": "5",
            "SYNC_INTERVAL_SECONDS": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            **more,
        }

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def spawn(self, *command: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def ask(self, expression: str) -> str:
        """One expression over the models, in a process of its own."""
        script = f"from rollouts.models import *; print({expression})"
        return self.run("manage.py", "shell", "-v0", "-c", script).strip().splitlines()[-1]
