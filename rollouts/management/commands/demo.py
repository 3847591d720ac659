"""``manage.py demo``: a company, its simulated GitLab and seven rollouts to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gitlab_simulator import Simulator
from rollouts.audit.source import coming_from
from rollouts.management.demo.seeds import FLAG_LOG, seed
from rollouts.management.demo.story import Story
from rollouts.models import Rollout
from rollouts.services import demo_accounts


class Command(BaseCommand):
    help = "Fill an empty portal with the demo. It needs the simulator's port for a moment: start that afterwards."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="do nothing, quietly, if there is anything already")
        parser.add_argument("--port", type=int, default=8001, help="the simulator's port where GITLAB_URL is not set")

    def handle(self, *args: Any, **options: Any) -> None:
        if Rollout.objects.exists() or get_user_model()._default_manager.exists():
            if options["if_empty"]:
                return
            raise CommandError("The portal is not empty: the demo would mix with real rollouts. Use an empty database.")
        url = urlsplit(settings.GITLAB_URL or f"http://127.0.0.1:{options['port']}")
        if url.hostname != "127.0.0.1" or url.port is None:
            raise CommandError("GITLAB_URL names a real GitLab: the demo is for the simulator only. Unset it.")
        settings.GITLAB_URL, settings.GITLAB_TOKEN = url.geturl(), Simulator.token
        log, settings.GITLAB_FLAG_LOG = settings.GITLAB_FLAG_LOG, FLAG_LOG
        path = Path(settings.DATA_DIR) / "simulator.json"
        path.unlink(missing_ok=True)
        now = timezone.now()
        try:
            simulator = Simulator(path, url.port).start()
        except OSError as error:
            raise CommandError(f"Port {url.port} can't be used ({error.strerror}): stop the simulator first.") from None
        try:
            seed(simulator, now)
            with coming_from("demo"):
                demo_accounts.make()
                Story(simulator, now).tell()
        finally:
            simulator.stop()
            settings.GITLAB_FLAG_LOG = log
        self.stdout.write(f"The demo is there: {Rollout.objects.count()} rollouts.")
