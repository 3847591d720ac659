"""``manage.py plan``: plan documents in and out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named, rollout_named
from rollouts.rules.document import LIMIT, DocumentRefused
from rollouts.services import plan_versions, plans
from rollouts.services.refusals import Refused


class Command(BaseCommand):
    help = "Apply, check or export plan documents. Exit 0: done; 1: refused, with line and cure; 2: wrong use."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="action", required=True)
        apply = verbs.add_parser("apply", help="make rollouts what the documents say; again: nothing changes")
        apply.add_argument("files", nargs="+", metavar="FILE")
        apply.add_argument("--dry-run", action="store_true", help="say what would change, change nothing")
        apply.add_argument("--as", dest="user", metavar="USER", help="the portal user who plans")
        apply.add_argument("--json", action="store_true", help="print one JSON object")
        apply.add_argument(
            "--expect",
            default="",
            metavar="DIGEST",
            help="of the plan that you looked at (`export --digest`): else refused",
        )
        check = verbs.add_parser("check", help="read the documents and say what is wrong")
        check.add_argument("files", nargs="+", metavar="FILE")
        check.add_argument("--json", action="store_true", help="print one JSON object")
        export = verbs.add_parser("export", help="print the plan of a rollout")
        export.add_argument("slug", metavar="SLUG")
        export.add_argument("--digest", action="store_true", help="print what it is known by instead")

        versions = verbs.add_parser(
            "versions", help="tell what the plan was, who made it so and who approved meanwhile"
        )
        versions.add_argument("slug", metavar="SLUG")
        versions.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "export":
            self._export(options["slug"], as_digest=options["digest"])
            return
        if options["action"] == "versions":
            self._versions(options["slug"], as_json=options["json"])
            return
        by = actor_named(options.get("user"))
        results = [self._one(name, by, options) for name in options["files"]]
        ok = all(result["ok"] for result in results)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": ok, "plans": results}))
        if not ok:
            raise SystemExit(1)

    def _one(self, name: str, by: Any, options: dict[str, Any]) -> dict[str, Any]:
        """Read, apply and tell one file; a refused one does not stop the others."""
        result: dict[str, Any] = {"file": name, "ok": False, "rollout": None, "changes": [], "faults": []}
        try:
            text = _read(name)
            if options["action"] == "check":
                result |= {"ok": True, "rollout": plans.check(text, source=name).rollout}
                self._tell(options, f"{name}: good.")
                return result
            with coming_from("command"):
                applied = plans.apply(text, by=by, source=name, dry_run=options["dry_run"], expect=options["expect"])
        except DocumentRefused as refused:
            result["faults"] = [str(fault) for fault in refused.faults]
        except Refused as refused:
            result["faults"] = [f"{name}: {blocker.message}" for blocker in refused.blockers]
        else:
            result |= {"ok": True, "rollout": applied.slug, "created": applied.created, "changes": applied.changes}
            would = "would change" if options["dry_run"] else "changed"
            self._tell(
                options,
                f"{applied.slug}: {len(applied.changes)} {would}."
                if applied.changes
                else f"{applied.slug}: nothing changed.",
            )
            for change in applied.changes:
                self._tell(options, f"  {change}")
        for fault in result["faults"]:
            if not options["json"]:
                self.stderr.write(fault)
        return result

    def _tell(self, options: dict[str, Any], line: str) -> None:
        if not options["json"]:
            self.stdout.write(line)

    def _export(self, slug: str, *, as_digest: bool) -> None:
        if as_digest:
            self.stdout.write(plans.digest_of(rollout_named(slug)))
        else:
            self.stdout.write(plans.export(rollout_named(slug)), ending="")

    def _versions(self, slug: str, *, as_json: bool) -> None:
        versions = plan_versions.of(rollout_named(slug))
        if as_json:
            self.stdout.write(json.dumps({"slug": slug, **versions.as_json()}))
            return
        if versions.untold:
            self.stdout.write(str(versions.untold))
        for one in versions.rows:
            self.stdout.write(f"{one.event.at.isoformat()} {one.event.actor} {one.event.verb} {one.digest[:12]}")
            for approval in one.approvals:
                self.stdout.write(f"  approved by {approval.actor}: {approval.object_name} ({approval.at.isoformat()})")
            for line in one.difference:
                self.stdout.write(f"  {line.text}")


def _read(name: str) -> bytes:
    """The file's bytes; a file far over the limit is not read whole. Raises ``CommandError`` (exit 2)."""
    try:
        with Path(name).open("rb") as file:
            return file.read(LIMIT + 1)
    except OSError as error:
        raise CommandError(f"{name} can't be read: {error.strerror}.", returncode=2) from None
