"""``manage.py capacity``: what the steps of a rollout ask of its model's quota."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rollouts.management.asked import rollout_named
from rollouts.models import clock
from rollouts.services import facts, shared_quota


class Command(BaseCommand):
    help = "Tell which step needs a larger quota, and by when to ask for it. Exit 0, whatever there is; 2: wrong use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        rollout = rollout_named(options["slug"])
        told = shared_quota.as_json(rollout, facts.for_rollout(rollout, clock.now()))
        if options["json"]:
            self.stdout.write(json.dumps(told))
            return
        self.stdout.write(f"{rollout.slug}: {told['words']}")
        for step in told["steps"]:
            ask = f", ask for quota by {step['ask_by'] or 'its start'}" if step["is_short"] else ""
            late = " (late)" if step["is_late"] else ""
            self.stdout.write(f"  {step['percentage']} %: {step['needed']} a minute, {step['total']} in all{ask}{late}")
