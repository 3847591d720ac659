"""gunicorn reads this file by itself, from the folder that it is started in."""

from typing import Any


def post_worker_init(worker: Any) -> None:
    """Pages are imported before a worker takes its first request: who comes first does not wait for them."""
    from django.urls import get_resolver

    get_resolver().url_patterns  # noqa: B018 - a property that imports
