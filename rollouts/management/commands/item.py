"""``manage.py item``: what the checklist's forms do."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named, refuse, rollout_named
from rollouts.rules.comparison import Beside
from rollouts.services import items
from rollouts.services.refusals import Refused


class Command(BaseCommand):
    help = (
        "Confirm a checklist item with evidence, or take that back with a reason. "
        "Exit 0: done; 1: refused, with every blocker; 2: wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG")
        parser.add_argument("key", metavar="KEY", help="the item's key, as the template names it")
        parser.add_argument("verb", choices=items.VERBS)
        parser.add_argument("--as", dest="user", metavar="USER", help="the portal user who does it")
        parser.add_argument("--evidence", default="", metavar="TEXT", help="confirm: a link or a note")
        parser.add_argument("--phase", default="", metavar="NAME", help="whose item it is, where several have the key")
        parser.add_argument("--channel", default="", metavar="TEXT", help="confirm: where it was announced")
        parser.add_argument("--answer", default="", choices=["yes", "no"], help="confirm a criterion: whether it holds")
        parser.add_argument("--owner", default="", metavar="USER", help="confirm a decision: who sees to it")
        parser.add_argument("--link", default="", metavar="URL", help="confirm a decision or a comparison")
        for name in ("latency", "correctness", "verdict"):
            parser.add_argument(
                f"--{name}", default="", choices=list(Beside), help="confirm a comparison: beside the baseline"
            )
        parser.add_argument(
            "--number", dest="numbers", action="append", metavar="LINE",
            help="confirm a comparison: p50 ms = 655 / 637, the baseline's last; may be given again",
        )  # fmt: skip
        parser.add_argument("--reason", default="", metavar="TEXT", help="unconfirm: why")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        by = actor_named(options["user"])
        rollout = rollout_named(options["slug"])
        try:
            item = items.named(rollout, options["key"], options["phase"])
        except LookupError as unknown:
            raise CommandError(str(unknown.args[0]), returncode=2) from None
        answer = {"rollout": rollout.slug, "item": item.key, "phase": item.phase.name if item.phase else None}
        try:
            with coming_from("command"):
                item = items.take(options["verb"], item, by=by, **items.inputs_of(options))
        except Refused as refused:
            what, page = f"{options['verb']} {options['key']} in {rollout.slug}", rollout.get_absolute_url()
            refuse(self, refused, what, answer, as_json=options["json"], page=page)
        is_confirmed = item.confirmed_at is not None
        if options["json"]:
            self.stdout.write(json.dumps({"ok": True, **answer, "confirmed": is_confirmed, "blockers": []}))
        else:
            self.stdout.write(f"{rollout.slug}: {item.title}: {'confirmed' if is_confirmed else 'taken back'}.")
