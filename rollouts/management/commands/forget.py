"""``manage.py forget``: a person who left is somebody who left, everywhere, and the history still verifies."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named, refuse
from rollouts.services import forgetting
from rollouts.services.refusals import Refused


class Command(BaseCommand):
    help = "Take a person's name out of everything, for good. What they did stays, under a name that is nobody's."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the user name")
        parser.add_argument("--reason", default="", help="why; everybody who reads the history sees it")
        parser.add_argument("--dry-run", action="store_true", help="say what would change; change nothing")
        parser.add_argument("--as", dest="by", metavar="USER", help="in this admin's name")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        by, name = actor_named(options["by"]), options["user"]
        person = get_user_model()._default_manager.filter(username=name).first()
        if person is None:
            raise CommandError(f"There is no portal user {name}.", returncode=2)
        try:
            with coming_from("command"):
                found = forgetting.forget(person, by=by, reason=options["reason"], dry_run=options["dry_run"])
        except Refused as refused:
            refuse(self, refused, f"{name} is not forgotten", {}, as_json=options["json"])
        except forgetting.NotTheOwner as error:
            raise CommandError(
                f"the database refuses ({error}). Run this as the owner of the tables, as `migrate` is run: "
                "DATABASE_URL=postgres://portal_owner:…"
            ) from None
        if options["json"]:
            self.stdout.write(json.dumps({"ok": True, "dry_run": options["dry_run"], **found.as_json()}))
            return
        would = "would be" if options["dry_run"] else "is"
        called = "somebody who left" if options["dry_run"] else found.stands_in
        self.stdout.write(f"{name} {would} {called} from now on.")
        for table, rows in found.rows.items():
            self.stdout.write(f"  {table}: {rows} rows without the name")
        if found.tombstones:
            self.stdout.write(f"  {found.tombstones} events held the name in words: each has a tombstone.")
