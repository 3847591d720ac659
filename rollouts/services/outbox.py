"""Writes to GitLab that the portal owes: rows now, in the transaction that makes them due; HTTP after the commit."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from ..audit.actor import Actor
from ..models import GitLabActor, GitLabWrite, Phase, Rollout, TrackedIssue, clock
from ..rules import gitlab_text
from ..rules.blockers import Blocker
from ..rules.exposure import Exposure, widens
from ..rules.machine import PHASE_VERBS, Role
from ..rules.phrases import say
from ..rules.template import IssueTemplate
from . import facts as facts_of
from . import known_people
from .refusals import refuse_if, role_missing
from .rollout_work import Work, working_on

log = logging.getLogger(__name__)
NOTED_ON = "flag_rollout"
State = GitLabWrite.State


def writes_issues() -> bool:
    return settings.GITLAB_WRITES in ("issues", "flags")


def writes_flags() -> bool:
    return bool(settings.GITLAB_WRITES == "flags")


def owe(
    work: Work, phase: Phase, verb: str, before: Exposure, *, by: Actor, words: str, overridden: bool = False
) -> None:
    """What a transition owes to GitLab, inside its work: the flag's gates, and a note on the rollout issue.

    ``before`` is what was expected before it; what was ``overridden`` is not held by a change lock.
    """
    owed = _gates(work, phase, before, by=by, overridden=overridden) if writes_flags() else []
    link = facts_of.issue_for(work.rollout, NOTED_ON, phase.name) if writes_issues() else None
    if link is not None:
        owed.append(note(work.rollout, phase, link, verb, words, by=by.name, now=work.now))
    if owed:
        GitLabWrite.objects.bulk_create(owed)
        ring_later()


def owe_restore(work: Work, phase: Phase | None, stands: Exposure, *, by: Actor) -> bool:
    """That the flag goes back to what is expected, from where it ``stands``; False where people set flags by hand."""
    owed = _gates(work, phase, stands, by=by, overridden=False) if writes_flags() else []
    if owed:
        GitLabWrite.objects.bulk_create(owed)
        ring_later()
    return bool(owed)


def note(
    rollout: Rollout, phase: Phase, link: TrackedIssue, verb: str, words: str, *, by: str, now: datetime
) -> GitLabWrite:
    """A note on an issue, not stored yet. ``words`` run nothing in GitLab: what people wrote in it is quoted."""
    return GitLabWrite(
        kind=GitLabWrite.Kind.POST_NOTE,
        lane=f"issue:{link.pk}",
        instance=link.project.instance,
        rollout=rollout,
        phase=phase,
        title=say("Note on {issue}: {did}", issue=link.reference, did=PHASE_VERBS[verb].did(phase)),
        payload={"project": link.project.path, "iid": link.iid, "body": words},
        asked_by=by,
        asked_at=now,
        next_attempt_at=now,
    )


def ring_later() -> None:
    """Once what is owed is committed."""
    transaction.on_commit(ring, robust=True)


def _gates(work: Work, phase: Phase | None, before: Exposure, *, by: Actor, overridden: bool) -> list[GitLabWrite]:
    wanted, rollout = work.facts().expected, work.rollout
    if wanted.is_exactly(before):
        return []
    lane = f"flag:{rollout.flag_id}"
    for older in GitLabWrite.objects.unfinished().filter(lane=lane).locked():
        # A newer intent says all that the flag shall be; a worker that is at the older one stops before its next call.
        older.cancel(at=work.now, words=say("{by} has asked for something newer.", by=by.name))
        older.save()
    return [
        GitLabWrite(
            kind=GitLabWrite.Kind.SET_GATES,
            lane=lane,
            instance=rollout.flag.instance,
            rollout=rollout,
            phase=phase,
            flag=rollout.flag,
            title=say("Set {flag} to {exposure}", flag=rollout.flag.name, exposure=wanted.words),
            is_narrowing=not widens(before, wanted),
            believed=before.as_json(),
            wanted=wanted.as_json(),
            payload={"overridden": True} if overridden else {},
            asked_by=by.name,
            asked_at=work.now,
            next_attempt_at=work.now,
        )
    ]


def owe_issues(work: Work, *, by: Actor) -> None:
    """An issue for each role that has none, from the template's issue templates, inside the work on a plan."""
    if not writes_issues():
        return
    rollout = work.rollout
    linked = {(link.phase_name, link.role): link.issue for link in rollout.issue_links.all()}
    roles = {role for _, role in linked}
    made, owed = False, set(rollout.writes.unfinished().values_list("lane", flat=True))
    for role, pattern in rollout.template.template.issues.items():
        lane = f"new:{rollout.pk}:{role}"
        project = pattern.project or next((issue.project.path for issue in linked.values()), "")
        project = project or (rollout.flag.project.path if rollout.flag.project else "")
        if role not in roles and lane not in owed and project:
            _owe_issue(rollout, role, pattern, project, lane, by=by, now=work.now)
            made = True
    if made:
        ring_later()


def _owe_issue(
    rollout: Rollout, role: str, pattern: IssueTemplate, project: str, lane: str, *, by: Actor, now: datetime
) -> None:
    words = {
        "title": rollout.title,
        "model": str(rollout.ai_model),
        "flag": rollout.flag.name,
        "baseline": str(rollout.baseline or "none"),
    }
    described = {name: gitlab_text.inline(word) for name, word in words.items()}
    described["owners"] = ", ".join(_owners(rollout))
    described["url"] = words["url"] = f"{settings.PORTAL_URL}{rollout.get_absolute_url()}"
    words["owners"] = ", ".join(rollout.owners)
    GitLabWrite.objects.create(
        kind=GitLabWrite.Kind.CREATE_ISSUE,
        lane=lane,
        instance=rollout.flag.instance,
        rollout=rollout,
        title=say("Create the {role} issue in {project}", role=role.replace("_", " "), project=project),
        payload={
            "role": role,
            "project": project,
            "title": gitlab_text.title(pattern.fill(pattern.title, words)),
            "description": gitlab_text.without_commands(
                pattern.fill(gitlab_text.document(pattern.description), described)
            ),
            "labels": list(pattern.labels),
            "confidential": pattern.confidential,
        },
        asked_by=by.name,
        asked_at=now,
        next_attempt_at=now,
    )


def _owners(rollout: Rollout) -> list[str]:
    """Mentioned by the name that they showed to have there; else where GitLab has said that it knows a user of that
    name, and nobody here who is called something else there; else only named."""
    here = {each.written: each.handle for each in known_people.named(rollout.owners)}
    names = [f"user:{owner}" for owner in rollout.owners]
    known = GitLabActor.objects.filter(instance=rollout.flag.instance, name__in=names).exclude(gitlab_id="")
    mentioned = set(known.values_list("name", flat=True))
    return [
        f"@{here[owner]}" if here[owner] else f"@{owner}" if f"user:{owner}" in mentioned else gitlab_text.inline(owner)
        for owner in rollout.owners
    ]


def cancel(write: GitLabWrite, *, by: Actor, reason: str) -> GitLabWrite:
    """Take back what has not been done. Raises ``Refused``; then nothing changed."""
    with working_on(write.rollout_id, "outbox.cancel", by=by, reason=reason.strip()) as work:
        work.recording.about = write = GitLabWrite.objects.locked().with_later().get(pk=write.pk)
        work.recording.rollout = write.rollout
        blockers = blockers_of("cancel", write, by)
        if not reason.strip():
            blockers.append(Blocker("reason_missing", say("Cancelling needs a reason.")))
        refuse_if(blockers)
        write.cancel(at=clock.now(), words=f"{by.name}: {reason.strip()}")
        write.save()
    return write


def again(write: GitLabWrite, *, by: Actor) -> GitLabWrite:
    """Try once more what was given up. Raises ``Refused``; then nothing changed."""
    with working_on(write.rollout_id, "outbox.again", by=by) as work:
        work.recording.about = write = GitLabWrite.objects.locked().with_later().get(pk=write.pk)
        work.recording.rollout = write.rollout
        refuse_if(blockers_of("again", write, by))
        write.again(at=clock.now())
        write.save()
        ring_later()
    return write


def blockers_of(verb: str, write: Any, by: Actor) -> list[Blocker]:
    """Why this person may not ``cancel`` it or do it ``again`` now. ``write`` is loaded ``with_later``."""
    blockers = role_missing(by, Role.MANAGER, say("The outbox"))
    if verb == "cancel":
        if write.state not in GitLabWrite.UNFINISHED:
            message = say("It is {state}: there is nothing to cancel.", state=write.get_state_display())
            blockers.append(Blocker("ended", message))
    elif write.state != State.GIVEN_UP:
        blockers.append(Blocker("not_given_up", say("It is {state}.", state=write.get_state_display())))
    elif write.is_overtaken:
        blockers.append(Blocker("overtaken", say("Something newer was asked for since: this one stays as it is.")))
    return blockers


def ring() -> None:
    """Tell the workers that something is owed. Where the broker is down, beat rings later."""
    # Not above: every command that changes something imports this module, and few have something to ring for.
    from config.celery import app as celery

    try:
        celery.send_task("rollouts.tasks.work_outbox", retry=False, ignore_result=True, expires=60)
    except Exception as error:
        log.warning("the broker does not answer (%s): the outbox is worked at the next beat", type(error).__name__)
