"""``make dev``: what is saved runs at once, what breaks by it breaks alone, and its toolbar is nowhere else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.setup.running import PATIENCE, ROOT, Run

pytestmark = [pytest.mark.embedded, pytest.mark.xdist_group("make_run")]
WORKER, SIMULATOR = "celery -A config worker", "gitlab_simulator"


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    """A copy of what is under version control, to be edited, with the same environment."""
    place = tmp_path_factory.mktemp("dev") / "code"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ":!docs", ":!tests"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    (place / ".venv").symlink_to(ROOT / ".venv")
    return place


@pytest.fixture(scope="module")
def dev(code, folder):
    """One for all tests here; it ends when it is asked to."""
    started = Run(folder, "dev", code)
    try:
        started.wait_until_up()
        yield started
        os.kill(started.process.pid, signal.SIGTERM)
        started.ends()
    finally:
        started.kill()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def until(is_so, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def test_what_is_saved_runs_at_once(dev, code):
    workers, simulators = dev.pids_of(WORKER), dev.pids_of(SIMULATOR)
    edit(code / "rollouts/portal/health.py", '"ok\\n"', '"saved\\n"')
    until(lambda: dev.answers("/healthz") == "saved\n", "the page is the old one")
    until(lambda: dev.pids_of(WORKER) and not dev.pids_of(WORKER) & workers, "the worker is the old one")
    assert dev.pids_of(SIMULATOR) == simulators
    edit(code / "gitlab_simulator/__init__.py", '"""', '"""Saved. ')
    until(lambda: dev.pids_of(SIMULATOR) and not dev.pids_of(SIMULATOR) & simulators, "the simulator is the old one")

    edit(code / "rollouts/tasks.py", "from __future__", "this is no Python\nfrom __future__")
    until(lambda: not dev.pids_of(WORKER) and "this is no Python" in dev.said(), "what is broken runs")
    edit(code / "rollouts/tasks.py", "this is no Python\n", "")
    until(lambda: dev.pids_of(WORKER), "what was mended does not run")
    until(lambda: dev.answers("/healthz") == "saved\n", "the page does not come back")


def test_it_has_a_toolbar_and_mail_in_a_folder_under_the_same_policy(dev, code, folder):
    status, page = dev.get("/accounts/login/")
    assert (status, 'id="djDebug"' in page) == (200, True)
    own, none = (
        {"default-src 'self'", "form-action 'self'"},
        {"base-uri 'none'", "object-src 'none'", "frame-ancestors 'none'"},
    )
    assert set(dev.policy("/accounts/login/").split("; ")) == own | none
    sent = subprocess.run(
        [code / ".venv/bin/python", "manage.py", "sendtestemail", "mia@example.com"],
        cwd=code, env=dev.environment_of(WORKER), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr
    (mail,) = (folder / "mail").iterdir()
    assert "To: mia@example.com" in mail.read_text()


def test_production_knows_no_toolbar(client, settings, db):
    assert "debug_toolbar" not in settings.INSTALLED_APPS
    assert "debug" not in (ROOT / "requirements.txt").read_text()
    settings.DEBUG, settings.INTERNAL_IPS = True, ["127.0.0.1"]
    assert "djDebug" not in client.get("/accounts/login/").content.decode()
