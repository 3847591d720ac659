"""``manage.py waiver``: what the forms of waivers do, and the list of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.audit.actor import Actor
from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named, in_anothers_name, refuse, rollout_named
from rollouts.models import Waiver, clock
from rollouts.rules.waivers import DECISIONS, VERBS
from rollouts.services import waivers
from rollouts.services.lists.waivers import WaiverFilter
from rollouts.services.refusals import Refused, refuse_if

FILTERS = ("state", "kind", "rollout", "who", "q")


class Command(BaseCommand):
    help = "List waivers, ask for one, or decide about one. Exit 0: done; 1: refused, with every blocker; 2: wrong use."

    def add_arguments(self, parser: CommandParser) -> None:
        does = parser.add_subparsers(dest="does", required=True, metavar="VERB")
        listing = does.add_parser("list", help="all that fit, newest first")
        for name in FILTERS:
            listing.add_argument(f"--{name}", default="", metavar="TEXT")
        asking = does.add_parser("ask", help="ask to skip a phase, or to go on without an item")
        asking.add_argument("slug", metavar="SLUG")
        asking.add_argument("--phase", default="", metavar="NAME", help="which is skipped, or whose item it is")
        asking.add_argument("--item", default="", metavar="KEY", help="the item's key, as the template names it")
        asking.add_argument("--until", default="", metavar="DAY", help="2026-12-31, or a time; UTC")
        asking.add_argument("--reason", default="", metavar="TEXT")
        for verb in VERBS:
            deciding = does.add_parser(verb, help=f"{verb} it")
            deciding.add_argument("number", type=int, metavar="NUMBER")
            deciding.add_argument("--note", default="", metavar="TEXT", help="refuse and end: why")
        for each in does.choices.values():
            each.add_argument("--as", dest="user", metavar="USER", help="the portal user who does it")
            each.add_argument("--json", action="store_true", help="print one JSON object")
            if each is not listing:
                each.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        by = actor_named(options["user"])
        if options["does"] == "list":
            self._list(by, options)
            return
        try:
            with coming_from("command"):
                done = self._ask(by, options) if options["does"] == "ask" else self._decide(by, options)
        except Refused as refused:
            refuse(self, refused, f"{options['does']} a waiver", {}, as_json=options["json"])
        self._tell(done, by, options)

    def _list(self, by: Actor, options: Mapping[str, Any]) -> None:
        asked, now = WaiverFilter({name: options[name] for name in FILTERS}), clock.now()
        if asked.faults:
            raise CommandError(" ".join(map(str, asked.faults.values())), returncode=2)
        rows = asked.rows.order_by("-asked_at", "-pk")
        if options["json"]:
            self.stdout.write(json.dumps({"items": [waivers.as_json(one, by, now) for one in rows]}))
            return
        for one in rows.iterator(500):
            state = "stands" if one.stands(now) else one.state
            granted = f", {one.decided_by}" if one.decided_by else ""
            self.stdout.write(
                f"{one.pk}  {one.rollout.slug}: {one}: {state} until {one.ends_at:%Y-%m-%d %H:%M} UTC "
                f"({one.asked_by}{granted}): {one.reason}"
            )

    def _ask(self, by: Actor, options: Mapping[str, Any]) -> Waiver | None:
        rollout = rollout_named(options["slug"])
        try:
            what = waivers.named(rollout, options["phase"], options["item"])
        except LookupError as unknown:
            raise CommandError(str(unknown.args[0]), returncode=2) from None
        ends_at, reason = waivers.until(options["until"], UTC), options["reason"]
        if options["dry_run"]:
            refuse_if(waivers.blockers_of_ask(rollout, what, by, clock.now(), reason=reason, ends_at=ends_at))
            return None
        return waivers.ask(what, by=by, reason=reason, ends_at=ends_at)

    def _decide(self, by: Actor, options: Mapping[str, Any]) -> Waiver | None:
        verb = options["does"]
        waiver = Waiver.objects.with_what().filter(pk=options["number"]).first()
        if waiver is None:
            raise CommandError(f"There is no waiver {options['number']}.", returncode=2)
        if verb in DECISIONS and options["user"] and not settings.COMMAND_MAY_APPROVE:
            raise Refused([in_anothers_name(options["user"])])
        if options["dry_run"]:
            refuse_if(waivers.blockers_of(verb, waiver, by, clock.now(), note=options["note"]))
            return None
        return waivers.decide(verb, waiver, by=by, note=options["note"])

    def _tell(self, done: Waiver | None, by: Actor, options: Mapping[str, Any]) -> None:
        if options["json"]:
            told = waivers.as_json(done, by, clock.now()) if done else {"dry_run": True}
            self.stdout.write(json.dumps({"ok": True, **told}))
        elif done is None:
            self.stdout.write("It would pass. Nothing is changed.")
        else:
            self.stdout.write(f"{done.rollout.slug}: waiver {done.pk}, {done}: {done.state}.")
