"""Values that open something, as people and the history may see them."""

from __future__ import annotations

from . import origins


def concealed(value: object) -> str:
    """Of an address its server, for its path and query may be all that somebody needs; of anything else nothing."""
    try:
        return f"{origins.origin(str(value))}/…"
    except ValueError:
        return "…" if value else ""
