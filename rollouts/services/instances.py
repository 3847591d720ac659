"""The GitLabs that the environment names, as rows: the default one is always there, others are added in the admin."""

from __future__ import annotations

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import GitLabInstance, Rollout, bindings, clock
from ..rules.bindings import DEFAULT
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.phrases import joined, say
from .refusals import refuse_if, role_missing

#: So many rollouts are named that still need an instance.
MOST_NAMED = 5


def default_instance() -> GitLabInstance:
    """The instance of ``GITLAB_URL`` and ``GITLAB_TOKEN``, its address brought up to date if the setting changed."""
    return _as_bound(GitLabInstance.objects.filter(name=DEFAULT).first() or GitLabInstance(name=DEFAULT))


def all_instances() -> list[GitLabInstance]:
    """Every instance that is not retired, the default one among them, each at the address that its name is bound to."""
    default_instance()
    return [_as_bound(known) for known in GitLabInstance.objects.followed().order_by("name")]


def unused_names() -> list[str]:
    """Names that the environment binds and that have no row yet."""
    taken = set(GitLabInstance.objects.values_list("name", flat=True))
    return [name for name in bindings.names() if name not in taken]


def retire(instance: GitLabInstance, *, by: Actor, reason: str) -> GitLabInstance:
    """Ask nothing of it any more; what was read stays. Raises ``Refused``; then nothing changed."""
    with recorded("instance.retire", by=by, reason=reason.strip()) as recording:
        instance = GitLabInstance.objects.locked().get(pk=instance.pk)
        recording.about = instance
        blockers = role_missing(by, Role.ADMIN, say("Retiring an instance"))
        if instance.retired_at:
            blockers.append(Blocker("same", say("{name} is retired already.", name=instance.name)))
        if instance.name == DEFAULT and bindings.url_of(DEFAULT):
            message = say("{name} is the GitLab of GITLAB_URL: unset that, and start the portal again.", name=DEFAULT)
            blockers.append(Blocker("bound", message))
        if not reason.strip():
            blockers.append(Blocker("reason_missing", say("Retiring an instance needs a reason.")))
        titles = list(Rollout.objects.open().filter(flag__instance=instance).values_list("title", flat=True))
        if titles:
            message = say(
                "Open rollouts have their flags there: {titles}. End them first.",
                titles=joined(titles[:MOST_NAMED], ", ") + (" …" if len(titles) > MOST_NAMED else ""),
            )
            blockers.append(Blocker("in_use", message))
        refuse_if(blockers)
        instance.retired_at = clock.now()
        instance.save()
    return instance


def take_up(instance: GitLabInstance, *, by: Actor, reason: str) -> GitLabInstance:
    """Read it again. Raises ``Refused``; then nothing changed."""
    with recorded("instance.take_up", by=by, reason=reason.strip()) as recording:
        instance = GitLabInstance.objects.locked().get(pk=instance.pk)
        recording.about = instance
        blockers = role_missing(by, Role.ADMIN, say("Taking up an instance"))
        if not instance.retired_at:
            blockers.append(Blocker("same", say("{name} is not retired.", name=instance.name)))
        refuse_if(blockers)
        instance.retired_at = None
        instance.save()
    return _as_bound(instance)


def _as_bound(known: GitLabInstance) -> GitLabInstance:
    """The same at the address that the environment binds its name to, which alone gets its token.

    A name that the environment does not know keeps its address, and is not asked; a default instance that was retired
    is back as soon as ``GITLAB_URL`` is set.
    """
    url = bindings.url_of(known.name)
    is_back = bool(url and known.name == DEFAULT and known.retired_at)
    if known.pk and (not url or known.url == url) and not is_back:
        return known
    with recorded("instance.configure", by=Actor.job("settings")) as recording:
        row = GitLabInstance.objects.locked().filter(name=known.name).first() or known
        row.url = url or row.url
        row.retired_at = None if is_back else row.retired_at
        row.save()
        recording.about = row
    return row
