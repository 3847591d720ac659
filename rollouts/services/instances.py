"""The GitLab that the environment names is always there as a row; more are made in the admin."""

from __future__ import annotations

from django.conf import settings

from ..audit.actor import Actor
from ..audit.deeds import deed
from ..models import GitLabInstance

DEFAULT = "gitlab"


def default_instance() -> GitLabInstance:
    """The instance of ``GITLAB_URL`` and ``GITLAB_TOKEN``, its address brought up to date if the setting changed."""
    known = GitLabInstance.objects.filter(name=DEFAULT).first()
    url = settings.GITLAB_URL.rstrip("/")
    if known and (known.url == url or not url):
        return known
    with deed("instance.configure", by=Actor.job("settings")) as doing:
        instance = GitLabInstance.objects.select_for_update().filter(name=DEFAULT).first() or GitLabInstance(
            name=DEFAULT
        )
        instance.url = url
        instance.save()
        doing.about = instance
    return instance


def all_instances() -> list[GitLabInstance]:
    """Every instance, the default one among them."""
    default_instance()
    return list(GitLabInstance.objects.order_by("name"))
