"""``manage.py api_token``: a new token for the REST API, printed once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named, refuse
from rollouts.models import clock
from rollouts.services import tokens
from rollouts.services.refusals import Refused

MOST_DAYS = 3_650


class Command(BaseCommand):
    help = (
        "Print a new API token of USER, this once: only what recognises it is kept. "
        "Exit 0: done; 1: refused; 2: wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER", help="whose token it is: it has this person's rights")
        parser.add_argument("--name", default="command line", metavar="N", help="what it is for")
        parser.add_argument("--expires-days", type=int, metavar="D", help="works for so many days; else until revoked")
        parser.add_argument("--as", dest="by", metavar="USER", help="the portal user who issues it")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        by, days = actor_named(options["by"]), options["expires_days"]
        if days is not None and not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--expires-days is a number from 1 to {MOST_DAYS:,}.", returncode=2)
        user = get_user_model()._default_manager.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no portal user {options['user']}.", returncode=2)
        expires_at = clock.now() + timedelta(days=days) if days else None
        try:
            with coming_from("command"):
                token, text = tokens.issue(user, options["name"], by, expires_at)
        except Refused as refused:
            refuse(self, refused, f"a token of {user.get_username()}", {}, as_json=options["json"])
        if options["json"]:
            until = expires_at.isoformat() if expires_at else None
            answer = {"ok": True, "user": user.get_username(), "name": token.name, "token": text, "expires_at": until}
            self.stdout.write(json.dumps(answer))
            return
        self.stdout.write(text)
        self.stderr.write("Keep it in a safe place: it is not shown again.")
