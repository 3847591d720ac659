"""ChatOps as people use it on GitLab.com: it sets an instance flag, and logs that as an issue which it closes.

Source: lib/chatops/commands/feature.rb of gitlab-com/chatops. Mixed into the state.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gitlab_simulator.instance_flags import InstanceFlags
from gitlab_simulator.issues import Issues

SCOPES = ("user", "project", "group", "namespace")


class ChatOps(InstanceFlags, Issues):
    def chatops_feature_set(
        self,
        log_project: str,
        name: str,
        value: str,
        *,
        by: str,
        host: str,
        actors: bool = False,
        at: datetime | None = None,
        **scopes: str,
    ) -> int:
        """``/chatops gitlab run feature set NAME VALUE [--actors] [--user=…]``, now or ``at`` a time of before.

        Returns the number of the log's issue.
        """
        if unknown := set(scopes) - set(SCOPES):
            raise TypeError(f"ChatOps has no scope {', '.join(sorted(unknown))}")
        with self.change():
            targets: dict[str, Any] = dict(scopes)
            self.set_feature(name, value, "percentage_of_actors" if actors else None, **targets)
            return self._log(log_project, name, f'set to "{value}"', value, by, host, actors, scopes, at)

    def chatops_feature_delete(self, log_project: str, name: str, *, by: str, host: str) -> int:
        """``/chatops gitlab run feature delete NAME``."""
        with self.change():
            self.delete_feature(name)
            return self._log(log_project, name, "deleted", "deleted", by, host, False, {}, None)

    def _log(
        self,
        project: str,
        name: str,
        did: str,
        value: str,
        by: str,
        host: str,
        actors: bool,
        scopes: dict[str, Any],
        at: datetime | None,
    ) -> int:
        written = f"{at or datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        shown = [f'`"{scopes[scope]}"`' if scope in scopes else "`nil`" for scope in SCOPES]
        description = "\n".join(
            (
                f"* Feature flag: `{name}`",
                f"* New value: `{value}`",
                f"* Percentage of actors: `{'true' if actors else ''}`",
                f"* Changed by: [`@{by}`](https://{host}/{by})",
                f"* Changed on (in UTC): `{written}`",
                f"* Host: https://{host}",
                "",
                "## Feature flag scopes",
                "",
                "| User | Project | Group | Namespace |",
                "|------|---------|-------|-----------|",
                f"| {' | '.join(shown)} |",
            )
        )
        title = f'Feature flag "{name}" has been {did}'
        iid = self.add_issue(
            project, title, description=description, labels=["change", f"host::{host}"], created_at=written
        )
        self.set_issue(project, iid, state="closed")
        return iid
