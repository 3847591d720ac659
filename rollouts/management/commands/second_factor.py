"""``manage.py second_factor``: take away a second factor that somebody has lost."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named, refuse
from rollouts.services import second_factors
from rollouts.services.refusals import Refused


class Command(BaseCommand):
    help = "Remove USER's second factor: they sign in by their password, and add another. Exit 0: done; 1: refused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER", help="who has lost it")
        parser.add_argument("--remove", action="store_true", required=True, help="take it away")
        parser.add_argument("--reason", default="", help="why, and how you know that it is them; the history tells it")
        parser.add_argument("--as", dest="by", metavar="USER", help="in this admin's name")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        by, name = actor_named(options["by"]), options["user"]
        person = get_user_model()._default_manager.filter(username=name).first()
        if person is None:
            raise CommandError(f"There is no portal user {name}.", returncode=2)
        try:
            with coming_from("command"):
                second_factors.remove(person, by=by, reason=options["reason"])
        except Refused as refused:
            refuse(self, refused, f"the second factor of {name}", {}, as_json=options["json"])
        told = json.dumps({"ok": True, "user": name}) if options["json"] else f"{name} has no second factor any more."
        self.stdout.write(told)
