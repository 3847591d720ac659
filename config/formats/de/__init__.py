"""German, as the portal writes it."""
