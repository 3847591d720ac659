"""English, as the portal writes it."""
