"""``manage.py hooks install | check``: the webhooks by which GitLab tells the portal of changes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from rollouts.models import GitLabInstance
from rollouts.rules import names
from rollouts.services.instances import DEFAULT, all_instances
from rollouts.sync import hooks


class Command(BaseCommand):
    help = "Register or check the portal's webhooks in GitLab. Exit 0: all well; 1: not all; 2: wrong use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("do", choices=("install", "check"))
        parser.add_argument("--instance", metavar="NAME", help="only this GitLab instance")
        parser.add_argument("--project", metavar="PATH", action="append", help="only this project; may be repeated")
        parser.add_argument("--url", help="the portal's address as GitLab reaches it (default PORTAL_URL)")
        parser.add_argument("--dry-run", action="store_true", help="install: say what would be done")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, do: str, **options: Any) -> None:
        instances = [instance for instance in all_instances() if instance.is_asked]
        if options["instance"]:
            instances = [instance for instance in instances if instance.name == options["instance"]]
            if not instances:
                raise CommandError(f"No GitLab instance named {options['instance']} is connected.", returncode=2)
        base = (options["url"] or settings.PORTAL_URL).rstrip("/")
        try:
            names.web_address(base)
        except ValueError as error:
            raise CommandError(f"--url: {error}", returncode=2) from None
        if urlsplit(base).hostname in ("localhost", "127.0.0.1", "::1") and not options["json"]:
            self.stderr.write(f"{base} is reached from this machine only: set PORTAL_URL, or give --url.")
        found = {instance.name: self._do(do, instance, base, options) for instance in instances}
        is_well = all(finding.is_well for findings in found.values() for finding in findings)
        if options["json"]:
            listed = {name: [finding.as_json() for finding in findings] for name, findings in found.items()}
            self.stdout.write(json.dumps({"ok": is_well, "instances": listed}))
        else:
            self._tell(found)
        if not is_well:
            raise SystemExit(1)

    def _do(self, do: str, instance: GitLabInstance, base: str, options: dict[str, Any]) -> list[hooks.Finding]:
        if not instance.hook_secret and not instance.hook_signing_token:
            names = f"{instance.hook_secret_variable} or {instance.hook_signing_variable}"
            raise CommandError(f"{instance.name} has no secret for webhooks: set {names}.", returncode=2)
        path = reverse("hook") if instance.name == DEFAULT else reverse("instance_hook", args=[instance.name])
        if do == "check":
            return hooks.check(instance, base + path, projects=options["project"])
        return hooks.install(instance, base + path, projects=options["project"], dry_run=options["dry_run"])

    def _tell(self, found: dict[str, list[hooks.Finding]]) -> None:
        for name, findings in found.items():
            for finding in findings:
                self.stdout.write(f"{name}: {finding.project}: {finding.state}. {finding.words}".rstrip())
            if not findings:
                self.stdout.write(f"{name}: no project is followed yet.")
