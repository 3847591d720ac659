"""``manage.py metric``: tell the portal a value of a guard metric, as a monitor's script does, or see how all stand."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named, refuse, rollout_named
from rollouts.models import Rollout, clock
from rollouts.rules.datetimes import parse_moment
from rollouts.rules.metrics import Metric, acting
from rollouts.services import facts, metrics, series
from rollouts.services.refusals import Refused


class Command(BaseCommand):
    help = (
        "Keep a VALUE of a guard metric that the plan of SLUG bounds; without NAME and VALUE: say how all of them "
        "stand, and what they would do. Exit 0: kept, whether within its bounds or beyond; 1: refused; 2: wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG")
        parser.add_argument("name", metavar="NAME", nargs="?", help="as the plan names it below guard_metrics")
        parser.add_argument("value", metavar="VALUE", nargs="?", type=float)
        parser.add_argument("--baseline", metavar="VALUE", type=float, help="the baseline's, measured with it")
        parser.add_argument("--at", metavar="MOMENT", type=_moment, help="when it was measured; now if left out")
        parser.add_argument("--as", dest="user", metavar="USER", help="the portal user who tells it")
        parser.add_argument("--evidence", default="", metavar="TEXT", help="where it was read: a link or a note")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["name"] is None:
            self._all(rollout_named(options["slug"]), options)
            return
        if options["value"] is None:
            raise CommandError("A NAME needs its VALUE.", returncode=2)
        by = actor_named(options["user"])
        rollout = rollout_named(options["slug"])
        try:
            with coming_from("command"):
                rollout = metrics.measure(
                    rollout, options["name"], options["value"], by=by, evidence=options["evidence"],
                    baseline=options["baseline"], at=options["at"],
                )  # fmt: skip
        except Refused as refused:
            what, page = f"{options['name']} of {rollout.slug}", rollout.get_absolute_url()
            refuse(self, refused, what, {"rollout": rollout.slug}, as_json=options["json"], page=page)
        metric = next(one for one in facts.metrics_of(rollout) if one.bound.name == options["name"])
        if options["json"]:
            answer = {"ok": True, "rollout": rollout.slug, "metric": metric.bound.name, "value": metric.value}
            self.stdout.write(json.dumps({**answer, "beyond": metric.is_beyond}))
        else:
            self.stdout.write(f"{rollout.slug}: {metric.words}.")

    def _all(self, rollout: Rollout, options: dict[str, Any]) -> None:
        """How they stand, and what would be done by it now: nothing is done here."""
        rollout = Rollout.objects.for_rules().get(pk=rollout.pk)
        told = facts.for_rollout(rollout, clock.now())
        phase = series.live_phase(rollout)
        wanted = acting(told.metrics, phase.state, told.metrics_may) if phase else None
        if options["json"]:
            lines = [{"metric": one.bound.name, "outcome": one.outcome, **one.seen()} for one in told.metrics]
            answer = {"rollout": rollout.slug, "metrics": lines, "would": wanted.deed if wanted else "hold"}
            self.stdout.write(json.dumps(answer))
            return
        for metric in told.metrics:
            self.stdout.write(f"{_sign(metric)} {metric.words}. ({metric.bound.rule_words})")
        if not told.metrics:
            self.stdout.write(f"The plan of {rollout.slug} bounds no figure.")
        if wanted:
            self.stdout.write(f"They would do this now: {wanted.deed.words}.")


def _sign(metric: Metric) -> str:
    return "!" if metric.is_beyond else "+" if metric.is_known else "?"


def _moment(written: str) -> datetime:
    try:
        return parse_moment(written)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None
