"""The Celery app: workers, beat, and whoever rings for them. Who does neither never imports Celery."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

from . import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Django's checks load all pages and the admin, which no worker has: `migrate` and `check` make them (decision 0086).
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

TRANSPORT_ALIASES.update(broker.TRANSPORTS)
app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()  # also for who asks Celery for its app in another thread
app.autodiscover_tasks()
