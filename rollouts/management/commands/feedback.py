"""``manage.py feedback``: what people write in the feedback issues of a rollout."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rollouts.management.asked import actor_named, rollout_named
from rollouts.models import clock
from rollouts.services import facts, feedback


class Command(BaseCommand):
    help = "Tell the newest comments, how many came since the phase began, and reactions. Exit 0; 2: wrong use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG")
        parser.add_argument("--as", dest="user", metavar="USER", help="as far as this portal user may see it")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        by, rollout = actor_named(options["user"]), rollout_named(options["slug"])
        told = feedback.of(rollout, by, facts.for_rollout(rollout, clock.now()))
        if options["json"]:
            self.stdout.write(json.dumps({"slug": rollout.slug, "feedback": [one.as_json() for one in told]}))
            return
        for one in told:
            if not one.may_see:
                self.stdout.write(f"{one.issue.url}: not for you to see, or not there.")
                continue
            since = f" since {one.phase} began" if one.phase else ""
            reactions = ", ".join(f"{name} {count}" for name, count in one.reactions)
            more = " or more" if one.is_more else ""
            self.stdout.write(f"{one.issue.url}: {one.count}{more} comments{since}. {reactions}".rstrip())
            for comment in one.comments:
                first = " ".join(comment.body.split())[:120]
                self.stdout.write(f"  {comment.author} {comment.at.isoformat() if comment.at else ''}: {first}")
        if not told:
            self.stdout.write(f"{rollout.slug} has no feedback issue.")
