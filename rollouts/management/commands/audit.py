"""``manage.py audit find``: look history up."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.management.actors import actor_named
from rollouts.services.lists.history import NEWEST_FIRST, HistoryFilter

MOST = 1_000


class Command(BaseCommand):
    help = "Look history up: who did what, when, from where, and why. Newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="action", required=True)
        asked = verbs.add_parser("find", help="events that fit all that is given")
        for name, each in HistoryFilter.base_filters.items():
            option = "--text" if name == "q" else f"--{name}"
            asked.add_argument(option, dest=name, default="", metavar=name.upper(), help=each.extra["help_text"])
        asked.add_argument("--after", default="", metavar="CURSOR", help="the next of the page before, by --json")
        asked.add_argument("--limit", type=int, default=50, metavar="N", help=f"1 to {MOST:,}")
        asked.add_argument("--as", dest="user", metavar="USER", help="see what this user may see")
        asked.add_argument("--json", action="store_true", help="one JSON object: {items, next}")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["limit"] <= MOST:
            raise CommandError(f"--limit is a number from 1 to {MOST:,}.", returncode=2)
        history_filter = HistoryFilter(options)
        page = history_filter.page(NEWEST_FIRST, options["limit"])
        for name, words in history_filter.faults.items():
            raise CommandError(f"--{name}: {words}", returncode=2)
        sees_confidential = actor_named(options["user"]).sees_confidential
        if options["json"]:
            items = [event.as_json(sees_confidential=sees_confidential) for event in page.rows]
            self.stdout.write(json.dumps({"items": items, "next": page.next or None}))
            return
        for event in page.rows:
            why = f" — {event.reason}" if event.reason else ""
            came = event.way_in_words if event.way else event.source
            self.stdout.write(
                f"{event.at:%Y-%m-%d %H:%M:%S}Z  {event.actor}  {event.verb}  {event.object_name}  ({came}){why}"
            )
