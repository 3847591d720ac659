"""What a person asks to be read before its turn: an instance whole, or the part of it that one thing belongs to."""

from __future__ import annotations

from ..audit.actor import Actor
from ..models import GitLabInstance, GitLabProject, clock
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.phrases import say
from ..services.refusals import Refused, refuse_if, role_missing
from . import leases, passes, rate_limits


def soon(instance: GitLabInstance, project: GitLabProject | None, *, by: Actor) -> None:
    """The next free worker reads this project, or with None the instance's own flags and people. Raises ``Refused``."""
    refuse_if(blockers(instance, by))
    scope = leases.scopes_of(instance).filter(project=project).first()
    if scope is None:
        message = say("{project} is not followed: no rollout has an issue or a flag there.", project=project)
        raise Refused([Blocker("not_followed", message)])
    type(scope).objects.filter(pk=scope.pk).update(hinted_at=clock.now())


def whole(instance: GitLabInstance, *, by: Actor) -> None:
    """All that is followed on this instance. Raises ``Refused``."""
    refuse_if(blockers(instance, by))
    if passes.begin(instance, trigger="page") is None:
        raise Refused([Blocker("under_way", say("A pass is under way already."))])


def refuse_others(by: Actor) -> None:
    """Who asks for it is a manager. Raises ``Refused``."""
    refuse_if(role_missing(by, Role.MANAGER, say("Reading GitLab at once")))


def blockers(instance: GitLabInstance, by: Actor) -> list[Blocker]:
    """Why this GitLab can't be asked now."""
    found = role_missing(by, Role.MANAGER, say("Reading GitLab at once"))
    if unasked := instance.why_not_asked:
        found.append(Blocker("not_connected", unasked))
    elif wait := rate_limits.must_wait(instance, clock.now()):
        found.append(Blocker("must_wait", rate_limits.words_of(wait, instance)))
    return found
