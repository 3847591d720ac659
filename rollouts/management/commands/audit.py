"""``manage.py audit find``: look history up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from rollouts.audit.lookup import Question, find
from rollouts.management.actors import actor_named

MOST = 1_000


class Command(BaseCommand):
    help = "Look history up: who did what, when, from where, and why. Newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="action", required=True)
        asked = verbs.add_parser("find", help="events that fit all that is given")
        asked.add_argument("--rollout", default="", metavar="SLUG")
        asked.add_argument("--actor", default="", metavar="NAME")
        asked.add_argument("--verb", default="", metavar="VERB", help="phase.start, or phase for all of a phase's")
        asked.add_argument("--source", default="", metavar="SOURCE", help="page, admin, command, sync")
        asked.add_argument("--since", metavar="TIME", help="2026-11-01 or 2026-11-01T14:00+01:00")
        asked.add_argument("--until", metavar="TIME")
        asked.add_argument("--text", default="", metavar="WORDS", help="in names and reasons")
        asked.add_argument("--limit", type=int, default=50, metavar="N", help=f"1 to {MOST:,}")
        asked.add_argument("--as", dest="user", metavar="USER", help="see what this user may see")
        asked.add_argument("--json", action="store_true", help="one JSON object: {items, next}")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["limit"] <= MOST:
            raise CommandError(f"--limit is a number from 1 to {MOST:,}.", returncode=2)
        question = Question(
            rollout=options["rollout"],
            actor=options["actor"],
            verb=options["verb"],
            source=options["source"],
            since=_moment(options["since"], "--since"),
            until=_moment(options["until"], "--until"),
            text=options["text"],
        )
        sees_confidential = actor_named(options["user"]).sees_confidential
        page = find(question, limit=options["limit"])
        if options["json"]:
            items = [event.as_json(sees_confidential=sees_confidential) for event in page.events]
            self.stdout.write(json.dumps({"items": items, "next": page.next}))
            return
        for event in page.events:
            why = f" — {event.reason}" if event.reason else ""
            self.stdout.write(
                f"{event.at:%Y-%m-%d %H:%M:%S}Z  {event.actor}  {event.verb}  "
                f"{event.object_name}  ({event.source}){why}"
            )


def _moment(text: str | None, option: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = parse_datetime(text)
        if moment is None and (day := parse_date(text)):
            moment = datetime.combine(day, time.min, tzinfo=UTC)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"{option} {text} is no time: write 2026-11-01 or 2026-11-01T14:00+01:00.", returncode=2)
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
