"""The portal's settings for tests: nothing of the developer's own ``.env`` or ``var/`` takes part."""

import os
import tempfile
from pathlib import Path

DATA = Path(tempfile.mkdtemp(prefix="portal-tests-"))
(DATA / "static").mkdir()
os.environ |= {
    "DATA_DIR": str(DATA),
    "SECRET_KEY": "tests",
    "DEBUG": "false",
    "GITLAB_URL": "",
    "GITLAB_TOKEN": "",
    "GITLAB_WRITES": "off",
    "PORTAL_URL": "http://localhost:8000",
    "DJANGO_ALLOW_ASYNC_UNSAFE": "true",  # Playwright runs an event loop beside the database
}
if not os.environ.get("TESTS_ON_SERVICES"):  # tests.on_services says which
    os.environ |= {
        "DATABASE_URL": f"sqlite:///{DATA}/tests.sqlite3",
        "CELERY_BROKER_URL": "embedded://",
        "CACHE_URL": "locmemcache://",
    }

from config.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AXES_ENABLED = False
STORAGES = {
    **STORAGES,  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
