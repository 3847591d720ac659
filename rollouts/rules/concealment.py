"""Values that open something for whoever has them, as people and the history may see them."""

from __future__ import annotations

from . import origins


def concealed(value: object) -> str:
    """That there is one, and nothing of it."""
    return "…" if value else ""


def server_of(address: str) -> str:
    """Of an address the server alone: its path and query may be all that somebody needs."""
    try:
        return f"{origins.origin(address)}/…"
    except ValueError:
        return concealed(address)
