"""``/healthz``: the process answers. ``/readyz``: the database takes writes, broker, freshness and assets are well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ..models import GitLabInstance, waiting
from ..services import freshness

#: Seconds in which a write is possible, or the portal is not ready.
WORTH_WAITING = 1.0


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    checks = {name: check() for name, check in CHECKS.items()}
    ready = all(words == "ok" for words in checks.values())
    answer = {"ready": ready, "checks": checks, "maintenance": settings.MAINTENANCE}
    return JsonResponse(answer, status=200 if ready else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        return "the database does not answer"
    try:
        with waiting.bounded(WORTH_WAITING), transaction.atomic(), connection.cursor() as cursor:
            # Whatever it finds: the lock is taken, and a database that only reads refuses it.
            cursor.execute("DELETE FROM rollouts_browsersession WHERE session_key = ''")
    except (DatabaseError, InterfaceError) as error:
        return f"the database takes no writes ({error})"
    return "ok"


def _broker() -> str:
    # Not above: a middleware stands on this module, and a web process starts faster than Celery is imported.
    from kombu.exceptions import OperationalError

    from config.celery import app as celery

    try:
        with celery.connection_for_read(connect_timeout=2) as broker:
            broker.ensure_connection(max_retries=1, timeout=2)
    except (OperationalError, OSError):
        return "the broker does not answer"
    return "ok"


def _assets() -> str:
    """Whether what pages look like was collected for this version: without it every page is a 500."""
    if not isinstance(staticfiles_storage, ManifestFilesMixin) or settings.DEBUG:
        return "ok"
    for folder in map(Path, settings.STATICFILES_DIRS):
        for file in folder.rglob("*"):
            name = file.relative_to(folder).as_posix()
            try:
                if file.is_file() and not staticfiles_storage.exists(staticfiles_storage.stored_name(name)):
                    return f"{name} is gone from {settings.STATIC_ROOT}: run manage.py collectstatic"
            except ValueError:
                return f"{name} was not collected: run manage.py collectstatic, then start the web processes again"
    return "ok"


def _freshness() -> str:
    """Whether GitLab was read lately, as far as one is connected: by what was read, not by passes that ended.

    A pass over thousands of projects takes longer than a reading counts, and reads all the while.
    """
    try:
        is_asked = GitLabInstance.objects.followed().exclude(url="").exists()
        if is_asked and freshness.is_stale(freshness.newest()):
            return f"no GitLab was read within {freshness.limit().total_seconds():.0f} s"
    except DatabaseError:
        return "the database does not answer"
    return "ok"


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "broker": _broker,
    "freshness": _freshness,
    "assets": _assets,
}
