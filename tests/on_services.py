"""``python -m tests.on_services ARGS…``: run pytest on a throw-away PostgreSQL and Redis on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from glob import glob
from pathlib import Path

TESTS = Path(__file__).resolve().parent
#: What no database and no Redis changes, or what starts its own: ``make test-services`` leaves it to ``make test``.
#: What is not named here runs on both, so a new module does; and so does, within these, each test that commits
#: (``transaction=True``: locks, races, claims) or is marked ``on_both``. On both are triggers, constraints, the history,
#: searches, filters, keyset pages, counts, numbers of queries, values at the edge of a column, reads and writes in bulk,
#: each door (``tests/doors``) and each address (``test_bypass_matrix``), the whole way of a rollout. Here are the rules of
#: single services, and pages, forms and commands that are told apart by role, word and address.
SAME_ANYWHERE = (
    "browser", "calendars", "docs", "gitlab", "rules", "setup", "simulator", "test_translations.py",
    "admin/test_asked_choices.py", "admin/test_asked_datetimes.py", "admin/test_djangos_parts.py", "admin/test_doors.py",
    "admin/test_first_page.py", "admin/test_import_export.py", "admin/test_template_editor.py", "admin/test_words.py",
    "api/test_approvals_api.py", "api/test_doors_api.py", "api/test_flags_api.py",
    "api/test_guide.py", "api/test_notices_api.py", "api/test_tokens.py",
    "audit/test_canonical.py", "commands/test_account_doors.py", "commands/test_demo.py",
    "portal/test_accounts.py", "portal/test_asked_choices.py", "portal/test_asked_datetimes.py",
    "portal/test_confidential.py", "portal/test_deciding.py", "portal/test_drift_page.py", "portal/test_feeds.py",
    "portal/test_gitlab_user.py", "portal/test_identity_provider.py", "portal/test_languages.py",
    "portal/test_login_page.py", "portal/test_models_page.py", "portal/test_new_rollout_page.py", "portal/test_pages.py",
    "portal/test_people.py", "portal/test_plans_page.py", "portal/test_proof_page.py", "portal/test_rollout_page.py",
    "portal/test_scale.py", "portal/test_second_factor.py", "portal/test_sign_ins.py", "portal/test_style.py",
    "portal/test_sync_page.py", "portal/test_then_page.py", "portal/test_ticks.py", "portal/test_translatable.py",
    "portal/test_transport.py", "portal/test_trouble.py", "portal/test_waivers_page.py", "portal/test_wishes.py",
    "services/test_absences.py", "services/test_approval_properties.py", "services/test_approvals.py",
    "services/test_approved_then_changed.py", "services/test_carrying.py", "services/test_conditions.py",
    "services/test_criteria.py", "services/test_dry_run.py", "services/test_guard_metrics.py",
    "services/test_loose_ends.py", "services/test_notices.py", "services/test_one_human.py", "services/test_opt_outs.py",
    "services/test_ramps.py", "services/test_reauthenticate.py", "services/test_review_clock.py",
    "services/test_soak_clock.py", "services/test_state_machine_properties.py", "services/test_two_plans.py",
    "services/test_waivers.py", "services/test_worlds.py",
    "sync/test_bound_instances.py", "sync/test_chatting.py", "sync/test_checkpoint_copies.py", "sync/test_mailing.py",
    "sync/test_metrics_from_prometheus.py", "sync/test_stale.py",
)  # fmt: skip
#: Within those, what looks at the database all the same.
ON_BOTH = ("browser/test_edges.py", "browser/test_live.py", "docs/test_auditors_guide.py")


def is_same_anywhere(path: Path) -> bool:
    """Whether a module of tests would say the same of PostgreSQL and Redis as of what is embedded."""
    within = path.relative_to(TESTS).as_posix()
    return within not in ON_BOTH and any(f"{within}/".startswith(f"{name}/") for name in SAME_ANYWHERE)


class Postgres:
    """A fresh cluster in a temporary folder, on a free port of this machine."""

    def __init__(self, superuser: str = "portal") -> None:
        self._binaries = Path(sorted(glob("/usr/lib/postgresql/*/bin"))[-1])
        self._folder = Path(tempfile.mkdtemp(prefix="portal-postgres-"))
        self._port = free_port()
        self.url = f"postgres://{superuser}@127.0.0.1:{self._port}/postgres"
        # initdb refuses root: as root, the cluster belongs to the system's postgres user.
        self._as_owner: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
            self._as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self._run("initdb", "-U", superuser, "--auth=trust", "--no-sync")

    def start(self) -> None:
        settings = (
            f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"
        )
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", settings, "start")

    def stop(self) -> None:
        """At once, as if it had crashed: all connections are cut."""
        self._run("pg_ctl", "-m", "immediate", "stop")

    def remove(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_owner, str(self._binaries / program), "-D", str(self._folder / "data"), *arguments]
        subprocess.run(command, check=True, cwd=self._folder, stdout=subprocess.DEVNULL)


class Redis:
    """A fresh Redis in memory, on a free port of this machine; it forgets all when it stops."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="portal-redis-")
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}"  # without a database number

    def start(self) -> None:
        where = ("--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", self._folder)
        self._process = subprocess.Popen(["redis-server", *where], stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def throw_away(server: Postgres | Redis) -> Iterator[str]:
    """It runs, and leaves nothing behind; gives its address."""
    try:
        server.start()
        yield server.url
    finally:
        server.remove()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are taken down all the same
    with throw_away(Postgres()) as database, throw_away(Redis()) as redis:
        environment = {
            **os.environ,
            "TESTS_ON_SERVICES": "1",
            "DATABASE_URL": database,
            "CELERY_BROKER_URL": f"{redis}/0",
            "CACHE_URL": redis.replace("redis://", "rediscache://") + "/1",
            "SECRET_KEY": "tests",
        }
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
