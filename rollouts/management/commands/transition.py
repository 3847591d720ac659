"""``manage.py transition``: what the buttons do."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from decimal import Decimal
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named, in_anothers_name, phase_named, refuse, rollout_named
from rollouts.models import Rollout
from rollouts.rules import guards
from rollouts.rules.approvals import UNSEEN
from rollouts.rules.machine import PHASE_VERBS, ROLLOUT_VERBS
from rollouts.rules.percentages import as_step
from rollouts.services import dry_run, transitions
from rollouts.services.refusals import Refused


class Command(BaseCommand):
    help = (
        "Take a transition of a phase (or of the rollout itself: PHASE is then the word rollout). "
        "Exit 0: done; 1: refused, with every blocker; 2: wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG")
        parser.add_argument("phase", metavar="PHASE", help="team, company, everyone …, or rollout")
        parser.add_argument("verb", metavar="VERB", help=", ".join([*PHASE_VERBS, *ROLLOUT_VERBS]))
        parser.add_argument("--as", dest="user", metavar="USER", help="the portal user who does it")
        parser.add_argument("--reason", default="", metavar="TEXT")
        parser.add_argument(
            "--looked-at", default="", metavar="DIGEST", help="approve, reject: of what you saw (--dry-run tells it)"
        )
        parser.add_argument("--request", type=int, metavar="NUMBER", help="the very request that this is about")
        parser.add_argument("--seen", type=int, metavar="VERSION", help="the phase's version that you looked at")
        parser.add_argument("--to", type=_step, metavar="PERCENTAGE", help="a later step of the ramp than the next one")
        parser.add_argument(
            "--override", action="store_true", help="pass blockers of start and advance (admin, reason, --confirm)"
        )
        parser.add_argument("--confirm", default="", metavar="SLUG", help="the rollout's short name again")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = options["verb"].replace("-", "_")
        by = actor_named(options["user"])
        rollout = rollout_named(options["slug"])
        if not transitions.is_known(verb, options["phase"]):
            known = ROLLOUT_VERBS if options["phase"] == "rollout" else PHASE_VERBS
            raise CommandError(f"There is no verb {options['verb']} here. There are: {', '.join(known)}.", returncode=2)
        if options["dry_run"]:
            self._try_row(rollout, verb, by, options)
            return
        try:
            with coming_from("command"):
                state = self._perform(rollout, options["phase"], verb, by, options)
        except Refused as refused:
            self._refuse(refused, rollout, options)
        if options["json"]:
            answer = {"ok": True, "rollout": rollout.slug, "phase": options["phase"], "state": state, "blockers": []}
            self.stdout.write(json.dumps(answer))
        else:
            self.stdout.write(f"{rollout.slug}: {options['phase']} is {state.replace('_', ' ')}.")

    def _perform(self, rollout: Rollout, name: str, verb: str, by: Any, options: dict[str, Any]) -> str:
        if name == "rollout":
            return str(transitions.perform_on_rollout(verb, rollout, by=by, reason=options["reason"]).state)
        if verb in guards.BY_POLICY and options["user"] and not settings.COMMAND_MAY_APPROVE:
            raise Refused([in_anothers_name(options["user"])])
        done = transitions.perform(verb, phase_named(rollout, name), by=by, **_said(options))
        return str(done.state)

    def _try_row(self, rollout: Rollout, verb: str, by: Any, options: dict[str, Any]) -> None:
        """Exit 0 where it would pass, 1 where it would be refused."""
        if options["phase"] == "rollout":
            result = dry_run.of_rollout(verb, rollout, by=by, reason=options["reason"])
        else:
            result = dry_run.of_phase(verb, phase_named(rollout, options["phase"]), by=by, **_said(options))
        if options["json"]:
            self.stdout.write(json.dumps(result.as_json(rollout.get_absolute_url())))
        else:
            self.stdout.write(f"{result.title}. Nothing is changed.")
            for fact in result.facts:
                age = f", as of {fact.at:%Y-%m-%d %H:%M:%S} UTC" if fact.at else ""
                self.stdout.write(f"  {'ok  ' if fact.ok else 'OPEN'} {fact.name}: {fact.words}{age}")
            self.stdout.write(f"Approvals: {result.approvals}")
            if result.digest:
                self.stdout.write(f"To decide about exactly this: --looked-at {result.digest}")
            self.stdout.write(f"Expected now: {result.now.words}. Then: {result.then.words}.")
            for call in result.calls:
                self.stdout.write(f"  {call.chat or call.api}")
            for blocker in result.blockers:
                self.stdout.write(f"Blocked: {blocker.message}")
        if result.blockers:
            raise SystemExit(1)

    def _refuse(self, refused: Refused, rollout: Rollout, options: dict[str, Any]) -> NoReturn:
        refuse(
            self,
            refused,
            f"{options['verb']} of {options['phase']} in {rollout.slug}",
            {"rollout": rollout.slug, "phase": options["phase"]},
            as_json=options["json"],
            page=rollout.get_absolute_url(),
            digest=transitions.digest_of(rollout, options["phase"]) if refused.codes & UNSEEN else "",
        )


def _step(written: str) -> Decimal:
    try:
        return as_step(written)
    except ValueError as wrong:
        raise ArgumentTypeError(str(wrong)) from None


def _said(options: dict[str, Any]) -> dict[str, Any]:
    """What comes along with the verb, as ``transitions.perform`` takes it."""
    return {name: options[name] for name in ("reason", "to", "override", "confirm", "looked_at", "request", "seen")}
