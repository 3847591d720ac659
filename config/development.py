"""Settings of ``make dev``: the portal's own with a debug toolbar, which production has not even installed."""

from .settings import *  # noqa: F403
from .settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [*INSTALLED_APPS, "debug_toolbar"]
MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware", *MIDDLEWARE]
ROOT_URLCONF = "config.development_urls"
INTERNAL_IPS = ["127.0.0.1", "::1"]
