"""What a process imports is what it needs: names are asked for, not times (``make bench-start`` has those)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OF_PAGES = {"rollouts.admin.registry", "rollouts.api.root", "rollouts.portal.urls", "ninja"}
OF_WORKERS = {"celery", "kombu", "rollouts.tasks", "rollouts.sync", "rollouts.gitlab", "gitlab", "requests"}
OF_DOCUMENTS = {"pydantic", "yaml", "rollouts.rules.template_schema", "rollouts.rules.plan_schema"}
FOR_FEW = {
    "redis", "icalendar", "recurring_ical_events", "dateutil", "structlog", "rich", "cryptography", "rfc8785",
    "confusable_homoglyphs", "django.db.migrations.executor", "rollouts.services.transitions",
}  # fmt: skip
OF_CELERY = {"yaml", "dateutil"}  # what it imports itself
#: What is started, what it does without, and what it must have got.
STARTS = {
    "a command": (
        "from django.core.management import execute_from_command_line as run; run(['manage.py', 'version'])",
        OF_PAGES | OF_WORKERS | OF_DOCUMENTS | FOR_FEW,
        {"rollouts.models", "rollouts.services.account_doors", "rollouts.portal.signing_in"},
    ),
    "a web process": (
        "import config.wsgi",
        OF_PAGES | OF_WORKERS | OF_DOCUMENTS | FOR_FEW,
        {"rollouts.portal.transport", "rollouts.api.middleware", "rollouts.services.account_doors"},
    ),
    "a worker": (
        "from config.celery import app; app.loader.import_default_modules(); app.finalize()",
        (OF_PAGES | OF_DOCUMENTS | FOR_FEW) - OF_CELERY - {"cryptography", "rfc8785", "rollouts.services.transitions"},
        {"rollouts.tasks", "rollouts.gitlab", "rollouts.services.account_doors"},
    ),
}


def imported(code: str, folder: Path, then: str = "None") -> tuple[set[str], object]:
    """Modules after this, in a process of its own, and what ``then`` is there."""
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    environment |= {"DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONWARNINGS": "ignore"}
    asked = f"{code}\nimport json, sys\nnames = sorted(sys.modules)\nprint(); print(json.dumps([names, {then}]))"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names, value = json.loads(done.stdout.splitlines()[-1])
    return set(names), value


@pytest.mark.parametrize("start", STARTS)
def test_a_process_imports_what_it_needs(start, tmp_path):
    code, without, needed = STARTS[start]
    names, _ = imported(code, tmp_path)
    assert names & without == set()
    assert needed <= names
    # Names of modules that there are: one that was renamed would be missing for ever.
    find = "import importlib.util as find\nimport django; django.setup()"
    _, lost = imported(find, tmp_path, f"[name for name in {sorted(without)!r} if find.find_spec(name) is None]")
    assert lost == []


def test_a_worker_knows_all_tasks_that_beat_rings_for(tmp_path):
    told = "[sorted(name for name in app.tasks if name.startswith('rollouts.')), sorted({r['task'] for r in app.conf.beat_schedule.values()})]"
    _, (tasks, rung) = imported(STARTS["a worker"][0], tmp_path, told)
    assert len(rung) >= 9
    assert set(rung) <= set(tasks)


def test_who_rings_rings_at_the_portals_broker(tmp_path):
    """In whichever thread, and whoever imported Celery first."""
    code = """
import celery
celery.current_app.main  # Celery makes an app of its own for who asks too early
import django; django.setup()
from threading import Thread
from rollouts import tasks
said = []
ask = lambda: said.append([tasks.sync_due.app.main, tasks.sync_due.app.connection().transport_cls])
thread = Thread(target=ask); thread.start(); thread.join(); ask()"""
    _, said = imported(code, tmp_path, "said")
    assert said == [["portal", "embedded"], ["portal", "embedded"]]


@pytest.mark.parametrize(
    "first", ["from django.core.checks import run_checks as go", "from config.urls import urlpatterns\ngo = list"]
)
def test_the_admin_is_whole_for_checks_and_for_pages(first, tmp_path):
    code = f"import django; django.setup()\n{first}\nfound = go()\nfrom django.contrib import admin"
    told = "[sorted(m._meta.label for m in admin.site._registry), admin.site._registry[__import__('django.contrib.auth').contrib.auth.models.User].__module__]"
    _, (models, people) = imported(code, tmp_path, told)
    assert {"rollouts.Rollout", "rollouts.Phase", "auth.User", "axes.AccessAttempt"} <= set(models)
    assert "axes.AccessLog" not in models
    assert people == "rollouts.admin.people"


def test_checks_still_find_what_is_wrong_with_the_admin(tmp_path):
    """Registered when it is asked for, and judged all the same."""
    code = """
import django; django.setup()
from rollouts.admin.rollouts import RolloutAdmin
RolloutAdmin.list_display = ("no such column",)
from django.core.checks import run_checks
found = [error.id for error in run_checks()]"""
    _, found = imported(code, tmp_path, "found")
    assert "admin.E108" in found
