"""``manage.py sync``: read GitLab now, in this process."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.audit.source import coming_from
from rollouts.services.instances import all_instances
from rollouts.sync import passes

MOST_JOBS = 16
BAR = 40


class Command(BaseCommand):
    help = "Read flags and issues from GitLab now and compare them with the plans. Exit 0: all read; 1: not all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--instance", metavar="NAME", help="only this GitLab instance")
        parser.add_argument("--full", action="store_true", help="ask for everything, not only for what changed")
        parser.add_argument("--jobs", type=int, default=1, metavar="N", help="read so many projects at once")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        instances = all_instances()
        if options["instance"]:
            names = ", ".join(instance.name for instance in instances)
            instances = [instance for instance in instances if instance.name == options["instance"]]
            if not instances:
                raise CommandError(
                    f"There is no GitLab instance named {options['instance']}. There are: {names}.", returncode=2
                )
        if not 1 <= options["jobs"] <= MOST_JOBS:
            raise CommandError(f"--jobs is from 1 to {MOST_JOBS}.", returncode=2)
        with coming_from("command"):
            reports = [
                passes.sync_instance(
                    instance,
                    trigger="command",
                    full=options["full"],
                    jobs=options["jobs"],
                    by_hand=True,
                    tell=self._progress(instance.name),
                )
                for instance in instances
            ]
        drift = passes.drifting(instances)
        ok = not any(report.problems for report in reports)
        if options["json"]:
            answer = {"ok": ok, "instances": [report.as_json() for report in reports], "drift": drift}
            self.stdout.write(json.dumps(answer))
        else:
            self._tell(reports, drift)
        if not ok:
            raise SystemExit(1)

    def _progress(self, name: str) -> passes.Progress:
        """A bar on the terminal; nothing where no person is looking."""
        if not self.stderr.isatty():
            return lambda done, planned: None

        def tell(done: int, planned: int) -> None:
            filled = BAR * done // planned if planned else BAR
            end = "\r\x1b[K" if done == planned else ""
            self.stderr.write(f"\r{name} [{'#' * filled}{'.' * (BAR - filled)}] {done} of {planned}{end}", ending="")
            self.stderr.flush()

        return tell

    def _tell(self, reports: list[Any], drift: list[dict[str, Any]]) -> None:
        for report in reports:
            flags, issues = report.flags, report.issues
            self.stdout.write(
                f"{report.name}: {report.calls} calls in {report.seconds:.1f} s. "
                f"{flags.seen} flags seen, {flags.changed} changed, {flags.missing} missing. "
                f"{issues.tracked} issues tracked, {issues.changed} changed, {issues.missing} missing."
            )
            for problem in report.problems:
                self.stdout.write(f"  {problem.scope}: {problem.words}")
        for entry in drift:
            self.stdout.write(f"drift: {entry['rollout']} is {entry['kind']}")
