"""What each kind of write does in GitLab: find out whether it is done already, do what is missing, read back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..gitlab import GitLab, GitLabProblem
from ..models import FeatureFlag, GitLabWrite, Outcome, Rollout, clock
from ..rules import gitlab_text
from ..rules.exposure import NOBODY, Exposure, widens
from ..rules.phrases import say
from ..services import facts as facts_of
from ..services.gates import commands_to
from ..services.locks import standing
from . import claims, flags, rate_limits
from .outcome import Report, phrase_of

#: What no waiting cures.
HOPELESS = (Outcome.UNAUTHORIZED, Outcome.FORBIDDEN, Outcome.NOT_FOUND, "rejected")
MARK = "<!-- model-rollout-portal:{} -->"


class Later(Exception):
    """Not now: ``until`` says when to try again, if that is known."""

    def __init__(self, words: str, until: datetime | None = None) -> None:
        super().__init__(words)
        self.until = until


class Never(Exception):
    """It can't be done; a person must look."""


def do(write: GitLabWrite) -> dict[str, Any]:
    """Do it once; what it made. Raises Later, Never or ``claims.Stopped``."""
    gitlab = rate_limits.connect(write.instance, urgent=write.is_narrowing)
    try:
        match write.kind:
            case GitLabWrite.Kind.SET_GATES:
                return _set_gates(gitlab, write)
            case GitLabWrite.Kind.CREATE_ISSUE:
                return _create_issue(gitlab, write)
        return _post_note(gitlab, write)
    except GitLabProblem as problem:
        if problem.kind in HOPELESS:
            raise Never(phrase_of(problem)) from None
        raise Later(phrase_of(problem), getattr(problem, "until", None)) from None


def _set_gates(gitlab: GitLab, write: GitLabWrite) -> dict[str, Any]:
    """Bring the flag to ``wanted``. It is widened only from where the plan believes it, read in this very task."""
    assert write.flag is not None
    wanted, believed = Exposure.from_json(write.wanted), Exposure.from_json(write.believed)
    stands = _read(gitlab, write)
    if not stands.is_exactly(wanted):
        rollout = Rollout.objects.whole().get(pk=write.rollout_id)
        facts = facts_of.for_rollout(rollout, clock.now())
        if not facts.expected.is_exactly(wanted):
            raise Never(
                say(
                    "The plan is at {expected} by now, not at {wanted}: nothing was written.",
                    expected=facts.expected.words,
                    wanted=wanted.words,
                )
            )
        if write.is_narrowing:
            _refuse_if_narrower(write, stands, wanted)
        elif widens(stands, wanted):
            if not write.payload.get("overridden"):
                _refuse_under_a_lock(write)
            _refuse_from_elsewhere(write, stands, believed, wanted)
        for command in commands_to(rollout, facts, wanted):
            claims.about_to_send(write, rate_limits.longest_call())
            if write.flag.project:
                gitlab.set_project_flag(write.flag.project.path, write.flag.name, **command.call)
            else:
                phrase_of = command.call
                gitlab.set_feature(
                    write.flag.name, phrase_of["value"], parameter=phrase_of["parameter"], target=phrase_of["target"]
                )
        stands = _read(gitlab, write)
    if not stands.is_exactly(wanted):
        raise Later(
            say("GitLab is read at {reading} after it was set to {wanted}.", reading=stands.words, wanted=wanted.words)
        )
    return {"read": stands.as_json()}


def _refuse_under_a_lock(write: GitLabWrite) -> None:
    locks, unread = standing(clock.now()).on(write.instance_id)
    if locks:
        raise Later(say("Waits: change lock, {lock}.", lock=locks[0].title), locks[0].until)
    if unread:
        raise Later(say("Waits: {words}", words=unread[0]))


def _refuse_if_narrower(write: GitLabWrite, stands: Exposure, wanted: Exposure) -> None:
    """A way back lets nobody in again whom somebody else has taken out; what our own wipe took out comes back."""
    if not write.touched and not widens(wanted, stands):
        raise Never(
            say(
                "GitLab is at {reading} already, which is less than {wanted}: nobody was let in again. "
                "Look at who sees it, and set the flag by hand if the earlier phases shall see it.",
                reading=stands.words,
                wanted=wanted.words,
            )
        )


def _refuse_from_elsewhere(write: GitLabWrite, stands: Exposure, believed: Exposure, wanted: Exposure) -> None:
    """What our own half-done calls left lies within ``wanted``; anything else was somebody else's hand."""
    if stands.is_exactly(believed) or (write.touched and not widens(wanted, stands)):
        return
    raise Never(
        say(
            "GitLab is at {reading}, the plan believed {believed}: somebody else has set the flag. "
            "Nothing was written. Look at who sees it, then try again.",
            reading=stands.words,
            believed=believed.words,
        )
    )


def _read(gitlab: GitLab, write: GitLabWrite) -> Exposure:
    """Read the flag as a sync does, so that what is read is kept; raises Later where it can't be read."""
    report = Report(write.instance.name)
    flag = write.flag
    assert flag is not None
    if flag.project:
        flags.sync_project_flags(gitlab, flag.project, [flag], report)
    else:
        flags.sync_instance_flags(gitlab, write.instance, report)
    flag = write.flag = FeatureFlag.objects.select_related("reading", "project", "instance").get(pk=flag.pk)
    problems = [problem for problem in report.problems if problem.scope.startswith(("flags", flag.name))]
    if problems:
        kind, words = problems[0].kind, problems[0].words
        raise (Never if kind in HOPELESS else Later)(words)
    return flag.latest.exposure or NOBODY


def _create_issue(gitlab: GitLab, write: GitLabWrite) -> dict[str, Any]:
    phrase_of, mark = write.payload, MARK.format(write.marker)
    issue = gitlab.find_issue(phrase_of["project"], write.marker, mark) if write.touched else None
    if issue is None:
        claims.about_to_send(write, rate_limits.longest_call())
        issue = gitlab.create_issue(
            phrase_of["project"],
            title=phrase_of["title"],
            description=_marked(phrase_of["description"], mark),
            labels=phrase_of["labels"],
            confidential=phrase_of["confidential"],
        )
    return {"project": phrase_of["project"], "iid": issue.iid, "role": phrase_of["role"]}


def _post_note(gitlab: GitLab, write: GitLabWrite) -> dict[str, Any]:
    phrase_of, mark = write.payload, MARK.format(write.marker)
    note = gitlab.find_note(phrase_of["project"], phrase_of["iid"], mark) if write.touched else None
    if note is None:
        claims.about_to_send(write, rate_limits.longest_call())
        note = gitlab.post_note(phrase_of["project"], phrase_of["iid"], _marked(phrase_of["body"], mark))
    return {"note": note}


def _marked(text: str, mark: str) -> str:
    """With what it is known again by; whatever was owed by an earlier version commands nothing either."""
    return f"{gitlab_text.without_commands(text)}\n\n{mark}"
