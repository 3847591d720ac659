"""``manage.py forecast``: when everybody will have each rollout, as its page tells it."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.models import Rollout, clock
from rollouts.services import forecasts, schedules


class Command(BaseCommand):
    help = "Tell when everybody will have a rollout, or each one that is open, by finished rollouts of its template."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="ROLLOUT", nargs="*", help="short names; none: all that are open")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        now, experience = clock.now(), forecasts.Experience()
        locks = schedules.locks_between(now, now + schedules.AHEAD)
        wanted = Rollout.objects.for_rules().order_by("slug")
        wanted = wanted.filter(slug__in=options["slug"]) if options["slug"] else wanted.open()
        found = {rollout.slug: forecasts.of(rollout, now, experience, locks=locks) for rollout in wanted}
        if unknown := sorted(set(options["slug"]) - found.keys()):
            raise CommandError(f"There is no rollout {unknown[0][:100]}.")
        if options["json"]:
            told = [{"slug": slug, "prediction": one.as_json() if one else None} for slug, one in found.items()]
            self.stdout.write(json.dumps({"rollouts": told}))
            return
        for slug, one in found.items():
            self.stdout.write(f"{slug}: {one.words if one else 'All have it, or nothing is to come.'}")
