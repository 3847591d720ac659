"""Run the simulated GitLab on the portal's data folder. ``python -m gitlab_simulator`` runs it without the portal."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gitlab_simulator.__main__ import Failed, add_arguments, serve


class Command(BaseCommand):
    help = "Run a simulated GitLab on this machine: for the demo, and to try the portal without a GitLab."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser, state=Path(settings.DATA_DIR) / "simulator.json")

    def handle(self, *args: Any, port: int, state: Path, latency: int, admin_mode: bool, **options: Any) -> None:
        try:
            serve(port=port, state=state, latency=latency, admin_mode=admin_mode, say=self._say)
        except Failed as failed:
            raise CommandError(str(failed), returncode=failed.code) from None

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
