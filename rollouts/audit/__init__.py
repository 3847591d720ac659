"""The history: every deed writes one event in its own transaction (DESIGN section 7)."""
