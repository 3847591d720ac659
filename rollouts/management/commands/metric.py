"""``manage.py metric``: tell the portal the value of a guard metric, as a monitor's script does."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named, refuse, rollout_named
from rollouts.rules.metrics import Metric
from rollouts.services import metrics
from rollouts.services.refusals import Refused


class Command(BaseCommand):
    help = (
        "Keep the newest VALUE of a guard metric that the plan of SLUG bounds. "
        "Exit 0: kept, whether within its bounds or beyond; 1: refused; 2: wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG")
        parser.add_argument("name", metavar="NAME", help="as the plan names it below guard_metrics")
        parser.add_argument("value", metavar="VALUE", type=float)
        parser.add_argument("--as", dest="user", metavar="USER", help="the portal user who tells it")
        parser.add_argument("--evidence", default="", metavar="TEXT", help="where it was read: a link or a note")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        by = actor_named(options["user"])
        rollout = rollout_named(options["slug"])
        try:
            with coming_from("command"):
                rollout = metrics.measure(
                    rollout, options["name"], options["value"], by=by, evidence=options["evidence"]
                )
        except Refused as refused:
            what, page = f"{options['name']} of {rollout.slug}", rollout.get_absolute_url()
            refuse(self, refused, what, {"rollout": rollout.slug}, as_json=options["json"], page=page)
        known = Metric.all_from(rollout.guard_metrics, rollout.measured)
        metric = next(metric for metric in known if metric.bound.name == options["name"])
        if options["json"]:
            answer = {"ok": True, "rollout": rollout.slug, "metric": metric.bound.name, "value": metric.value}
            self.stdout.write(json.dumps({**answer, "beyond": metric.is_beyond}))
        else:
            self.stdout.write(f"{rollout.slug}: {metric.words}.")
