"""``/hooks/gitlab/`` and ``/hooks/gitlab/<instance>/``: where a GitLab tells us of changes."""

from __future__ import annotations

import logging

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from kombu.exceptions import OperationalError

from .. import tasks
from ..models import GitLabInstance
from ..services.instances import DEFAULT, default_instance
from ..sync import deliveries

log = logging.getLogger(__name__)


@csrf_exempt
@login_not_required
@never_cache
@require_POST
def gitlab(request: HttpRequest, name: str = DEFAULT) -> HttpResponse:
    """Take one delivery. Who does not know the secret does not learn which instances there are either."""
    instance = default_instance() if name == DEFAULT else GitLabInstance.objects.filter(name=name).first()
    taken = deliveries.take(instance, request.headers, request.read)
    if taken.rings:
        try:
            tasks.work_deliveries.delay()
        except (OperationalError, OSError):
            log.warning("the broker does not answer: deliveries wait for beat")
    words = f"{taken.words}\n" if taken.words else ""
    return HttpResponse(words, status=taken.status, content_type="text/plain; charset=utf-8")
