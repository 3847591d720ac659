"""``manage.py away``: when somebody is away, and who is asked instead of them."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named, refuse
from rollouts.services import absences
from rollouts.services.refusals import Refused


class Command(BaseCommand):
    help = (
        "Say when USER is away and who is asked instead; without days, list it. Exit 0: done; 1: refused; 2: wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER", help="who is away")
        parser.add_argument("--from", dest="since", metavar="DAY", help="the first day, or a time (of UTC)")
        parser.add_argument("--until", metavar="DAY", help="the last day, or a time (of UTC)")
        parser.add_argument("--instead", metavar="USER", help="who is asked meanwhile; has the same role")
        parser.add_argument("--end", type=int, metavar="N", help="take this absence back")
        parser.add_argument("--as", dest="by", metavar="USER", help="in this person's name")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        by, name = actor_named(options["by"]), options["user"]
        person = get_user_model()._default_manager.filter(username=name).first()
        if person is None:
            raise CommandError(f"There is no portal user {name}.", returncode=2)
        days = [options[key] for key in ("since", "until", "instead")]
        if any(days) and (not all(days) or options["end"] is not None):
            raise CommandError("Write --from, --until and --instead, all three; or --end alone.", returncode=2)
        try:
            with coming_from("command"):
                if options["end"] is not None:
                    absences.end(self._numbered(person, options["end"]), by=by)
                elif all(days):
                    absences.add(person, since=days[0], until=days[1], instead=days[2], by=by)
        except Refused as refused:
            refuse(self, refused, f"when {name} is away", {}, as_json=options["json"])
        self._tell(person, as_json=options["json"])

    def _numbered(self, person: Any, number: int) -> Any:
        found = next((each for each in absences.of(person) if each.pk == number), None)
        if found is None:
            raise CommandError(f"{person.get_username()} has no absence {number} that is not over.", returncode=2)
        return found

    def _tell(self, person: Any, *, as_json: bool) -> None:
        rows = absences.of(person)
        if as_json:
            self.stdout.write(json.dumps({"ok": True, "away": [absences.as_json(row) for row in rows]}))
            return
        for row in rows:
            self.stdout.write(f"{row.pk}: from {row.begins_at:%Y-%m-%d %H:%M} to {row.ends_at:%Y-%m-%d %H:%M} UTC, "
                              f"instead {row.instead.get_username()}")  # fmt: skip
        if not rows:
            self.stdout.write(f"{person.get_username()} is not away, and will not be.")
