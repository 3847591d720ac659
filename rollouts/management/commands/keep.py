"""``manage.py keep``: let go of what is past its age now, or say what would go."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named, refuse
from rollouts.services.keeping import runs
from rollouts.services.refusals import Refused


class Command(BaseCommand):
    help = (
        "Delete what is past its age, by the rules on the page «Keeping» (settings KEEP_…), and measure what is there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would go; change nothing")
        parser.add_argument("--as", dest="user", metavar="USER", help="in this admin's name")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        by = actor_named(options["user"])
        try:
            runs.refuse_others(by)
        except Refused as refused:
            refuse(self, refused, "nothing was deleted", {}, as_json=options["json"])
        if options["dry_run"]:
            self._foresee(options["json"])
            return
        with coming_from("command"):
            run = runs.work(by=by, batches=sys.maxsize, asked=True)
        assert run is not None
        if options["json"]:
            self.stdout.write(json.dumps({"ok": True, "gone": run.gone, "sizes": run.sizes}))
            return
        for name, rows in run.gone.items():
            self.stdout.write(f"{name}: {rows} rows deleted")
        if not run.gone:
            self.stdout.write("Nothing is past its age.")

    def _foresee(self, as_json: bool) -> None:
        found = runs.foreseen()
        if as_json:
            would = {
                each.rule.name: {
                    "rows": each.rows,
                    "older_than": each.older_than.isoformat(),
                    "days": each.rule.days,
                    "may": each.may,
                }
                for each in found
            }
            self.stdout.write(json.dumps({"ok": True, "would_go": would}))
            return
        for each in found:
            if each.rule.is_off:
                self.stdout.write(f"{each.rule.name}: kept for ever ({each.rule.setting}={each.rule.days})")
                continue
            if not each.may:
                self.stdout.write(
                    f"{each.rule.name}: this database user may not. Run it as the owner of the tables, as `migrate` is "
                    "run: DATABASE_URL=postgres://portal_owner:…"
                )
            self.stdout.write(
                f"{each.rule.name}: {each.rows} rows from before {each.older_than:%Y-%m-%d %H:%M} UTC would go "
                f"({each.rule.setting}={each.rule.days})"
            )
