"""Register the portal's webhooks in the projects that are followed, and say how they do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..gitlab import GitLab, GitLabProblem
from ..gitlab.hooks import EVENTS, HookRecord
from ..models import GitLabInstance, GitLabProject, SyncScope
from ..rules.phrases import joined, say
from . import leases, rate_limits
from .outcome import phrase_of

NAMES = {
    "issues_events": say("issues"),
    "confidential_issues_events": say("confidential issues"),
    "note_events": say("comments"),
    "confidential_note_events": say("confidential comments"),
    "feature_flag_events": say("feature flags"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """How one project's webhook stands. ``state``: ok, installed, updated, missing, disabled, failing, wrong, or the
    kind of a problem in asking; ``words`` say it with the cure, empty where all is well."""

    project: str
    state: str
    words: str = ""

    @property
    def is_well(self) -> bool:
        return self.state in ("ok", "installed", "updated")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def install(
    instance: GitLabInstance, url: str, *, projects: list[str] | None = None, dry_run: bool = False
) -> list[Finding]:
    """A webhook with our secret in each project that has none, or one that differs. What is right is left alone."""
    gitlab = rate_limits.connect(instance)
    return [_install(gitlab, instance, project, url, dry_run) for project in _followed(instance, projects)]


def check(instance: GitLabInstance, url: str, *, projects: list[str] | None = None) -> list[Finding]:
    """Which webhooks are missing, switched off, failing, or hear less than they should. Changes nothing."""
    gitlab = rate_limits.connect(instance)
    return [_check(gitlab, instance, project, url) for project in _followed(instance, projects)]


def _followed(instance: GitLabInstance, projects: list[str] | None) -> list[GitLabProject]:
    scopes = leases.scopes_of(instance).filter(project__isnull=False).values_list("pk", flat=True)
    found = GitLabProject.objects.filter(scope__in=SyncScope.objects.filter(pk__in=scopes)).order_by("path")
    return list(found if projects is None else found.filter(path__in=projects))


def _install(gitlab: GitLab, instance: GitLabInstance, project: GitLabProject, url: str, dry_run: bool) -> Finding:
    secrets = {"token": instance.hook_secret, "signing_token": instance.hook_signing_token}
    try:
        hook = _ours(gitlab, project, url)
        lacks = _lacks(hook, instance) if hook else ""
        if hook and not lacks:
            return Finding(project.path, "ok")
        if hook:
            if not dry_run:
                gitlab.update_hook(project.address, hook.id, url, **secrets)
            return Finding(project.path, "updated", lacks)
        if not dry_run:
            gitlab.create_hook(project.address, url, **secrets)
        return Finding(project.path, "installed")
    except GitLabProblem as problem:
        return Finding(project.path, problem.kind, phrase_of(problem))


def _check(gitlab: GitLab, instance: GitLabInstance, project: GitLabProject, url: str) -> Finding:
    try:
        hook = _ours(gitlab, project, url)
        if hook is None:
            return Finding(
                project.path, "missing", say("There is no webhook to the portal. Run manage.py hooks install.")
            )
        if hook.alert_status == "disabled":
            words = say(
                "GitLab has switched it off for good after 40 failures. Mend the cause, then test it in GitLab."
            )
            return Finding(project.path, "disabled", words)
        if hook.alert_status == "temporarily_disabled":
            return Finding(project.path, "disabled", _off_until(hook))
        if lacks := _lacks(hook, instance):
            return Finding(project.path, "wrong", joined((lacks, say("Run manage.py hooks install."))))
        newest = next(iter(gitlab.hook_deliveries(project.address, hook.id)), None)
        if newest and newest.failed:
            words = say("Its newest delivery failed: our answer was {status}.", status=newest.status or say("none"))
            return Finding(project.path, "failing", words)
        return Finding(project.path, "ok")
    except GitLabProblem as problem:
        return Finding(project.path, problem.kind, phrase_of(problem))


def _off_until(hook: HookRecord) -> str:
    if hook.disabled_until is None:
        return say("GitLab has switched it off after failures in a row.")
    until = f"{hook.disabled_until:%Y-%m-%d %H:%M:%S} UTC"
    return say("GitLab has switched it off until {until} after failures in a row.", until=until)


def _ours(gitlab: GitLab, project: GitLabProject, url: str) -> HookRecord | None:
    wanted = url.rstrip("/")
    return next((hook for hook in gitlab.hooks(project.address) if hook.url.rstrip("/") == wanted), None)


def _lacks(hook: HookRecord, instance: GitLabInstance) -> str:
    """What a webhook of ours should have and has not, as a sentence; empty where it is right."""
    missing = [NAMES[event] for event in EVENTS if event not in hook.events]
    lacks = [say("It does not tell of {events}.", events=joined(missing, ", "))] if missing else []
    if not hook.verifies_tls:
        lacks.append(say("It does not check our certificate."))
    if instance.hook_secret and hook.has_token is False and not hook.has_signing_token:
        lacks.append(say("It has no secret."))
    if instance.hook_signing_token and hook.has_signing_token is False:
        lacks.append(say("It has no signing token."))
    return joined(lacks)
