"""The history: every recorded change writes one event in its own transaction (DESIGN section 7)."""
