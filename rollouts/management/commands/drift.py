"""``manage.py drift``: the list of drift cases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.models import clock
from rollouts.services import drift_cases
from rollouts.services.lists.drift import OPEN_ONES_FIRST, DriftFilter

FILTERS = ("state", "kind", "owner", "rollout", "q")


class Command(BaseCommand):
    help = "List drift cases. Exit 0: done; 2: wrong use."

    def add_arguments(self, parser: CommandParser) -> None:
        does = parser.add_subparsers(dest="does", required=True, metavar="VERB")
        listing = does.add_parser("list", help="all that fit, open ones first")
        for name in FILTERS:
            listing.add_argument(f"--{name}", default="", metavar="TEXT")
        for each in does.choices.values():
            each.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        self._list(options)

    def _list(self, options: Mapping[str, Any]) -> None:
        asked, now = DriftFilter({name: options[name] for name in FILTERS}), clock.now()
        if asked.faults:
            raise CommandError(" ".join(map(str, asked.faults.values())), returncode=2)
        rows = asked.rows.order_by(*OPEN_ONES_FIRST.keys)
        if options["json"]:
            self.stdout.write(json.dumps({"items": [drift_cases.as_json(one, now) for one in rows]}))
            return
        for one in rows.iterator(500):
            until = f" to {one.ended_at:%Y-%m-%d %H:%M} UTC, {one.get_ending_display()}" if one.ended_at else ""
            owner = f" ({one.owner})" if one.owner else ""
            self.stdout.write(
                f"{one.pk}  {one.rollout.slug}{owner}: {one.get_kind_display()}, {one.state} "
                f"since {one.since:%Y-%m-%d %H:%M} UTC{until}"
            )
