"""What an empty portal still needs before its first rollout: one line each, done or open, with the way to it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ...audit.actor import Actor
from ...models import AIModel
from ...rules.machine import Role
from ...services.instances import all_instances


@dataclass(frozen=True, slots=True)
class Check:
    """As ``components/blockers.html`` takes it."""

    ok: bool
    words: str
    url: str = ""


def checks(viewer: Actor) -> list[Check]:
    """Links lead only where the viewer may go."""
    is_admin = viewer.person.has(Role.ADMIN)
    return [_gitlab(), _approver(is_admin), _models(is_admin)]


def _gitlab() -> Check:
    connected = [instance for instance in all_instances() if instance.is_asked]
    if not connected:
        return Check(
            False, _("Connect a GitLab: set GITLAB_URL and GITLAB_TOKEN and start again."), reverse("portal:sync")
        )
    unread = [instance.name for instance in connected if instance.flags_read_at is None]
    if unread:
        words = _("GitLab is connected; not read yet: %(names)s.") % {"names": ", ".join(unread)}
        return Check(False, words, reverse("portal:sync"))
    return Check(True, _("GitLab is connected and read."))


def _approver(is_admin: bool) -> Check:
    """Four eyes: whoever plans can't approve, so a second person is needed."""
    count = Group.objects.filter(name=Role.APPROVER.value, user__is_active=True).values("user").distinct().count()
    if count:
        words = ngettext("%(count)s person may approve.", "%(count)s people may approve.", count) % {"count": count}
        return Check(True, words)
    url = reverse("admin:auth_user_changelist") if is_admin else ""
    return Check(False, _("Give somebody the role approver: nobody approves what they asked for themselves."), url)


def _models(is_admin: bool) -> Check:
    count = AIModel.objects.count()
    if count:
        words = ngettext("%(count)s AI model is known.", "%(count)s AI models are known.", count) % {"count": count}
        return Check(True, words, reverse("portal:models"))
    url = reverse("admin:rollouts_aimodel_changelist") if is_admin else ""
    return Check(False, _("Say which AI models there are, or let the first plan say it."), url)
