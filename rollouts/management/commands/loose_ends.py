"""``manage.py loose_ends``: what the page of loose ends tells."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rollouts.models import clock
from rollouts.services import loose_ends


class Command(BaseCommand):
    help = "Tell what stays behind while nobody looks, by kind, and what ends it. Exit 0, whatever there is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        kinds = loose_ends.find(clock.now())
        count = sum(kind.count for kind in kinds)
        if options["json"]:
            self.stdout.write(json.dumps({"kinds": [kind.as_json() for kind in kinds], "count": count}))
            return
        for kind in kinds:
            if kind.count:
                self.stdout.write(f"{kind.title}: {kind.count}")
            for end in kind.ends:
                self.stdout.write(f"  {end.title}: {end.words} {end.cure}: {end.cure_url}")
        if not count:
            self.stdout.write("There are no loose ends.")
