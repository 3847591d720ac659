"""Where each address leads, the toolbar's too."""

from debug_toolbar.toolbar import debug_toolbar_urls

from .urls import *  # noqa: F403
from .urls import urlpatterns

urlpatterns = [*urlpatterns, *debug_toolbar_urls()]
