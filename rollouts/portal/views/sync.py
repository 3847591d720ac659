"""Is what the portal shows true to GitLab? Per instance and project: when it was read, and what went wrong."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from ... import tasks
from ...audit.actor import Actor
from ...models import GitLabInstance, GitLabWrite, SyncRun
from ...rules.machine import Role
from ...services.instances import all_instances
from ...services.lists.sync import SyncFilter
from ...sync import mailing, passes, read_now, senders, status
from .. import lists
from ..answers import SeeOther
from ..presenters import sync_page


@require_safe
def sync(request: HttpRequest) -> HttpResponse:
    """``?pass=`` lists the passes from that one back; ``?delivery=`` tells of one webhook."""
    asked = SyncFilter(request.GET, SyncRun.objects.select_related("instance"))
    cards = sync_page.cards(status.of_all())
    newest = asked["pass"]
    runs = asked.queryset.filter(started_at__lte=newest.started_at) if newest else asked.queryset
    owed = GitLabWrite.objects.filter(state__in=("waiting", "begun", "given_up")).select_related("rollout")[:50]
    summary = sync_page.summary(cards)
    context = {
        "cards": cards,
        "runs": sync_page.passes(runs[:20]),
        "newest": newest,
        "delivery": asked["delivery"],
        "owed": owed,
        "writes": settings.GITLAB_WRITES,
        "summary": summary,
        "failing": senders.failing(),
        "mails": mailing.standing(),
        "sends_mail": settings.SENDS_MAIL,
        "set_aside": status.set_aside(),
        "sees_keeping": Actor.of(request.user).person.has(Role.AUDITOR),
        "retired": GitLabInstance.objects.exclude(retired_at=None),
    }
    return lists.answer(request, "portal/sync.html", context, asked)


@require_POST
def sync_now(request: HttpRequest) -> HttpResponse:
    """Ring for a pass of each instance; the pages show its result when it is through."""
    read_now.refuse_others(Actor.of(request.user))
    try:
        for instance in all_instances():
            if instance.is_asked:
                passes.begin(instance, trigger="page")
                tasks.ring_readers(instance)
        messages.success(request, _("GitLab is being read: this page follows."))
    except (OperationalError, OSError):
        messages.error(request, _("The broker does not answer, so nothing could be asked of the workers."))
    return SeeOther(reverse("portal:sync"))
