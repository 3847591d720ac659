"""A bare Django with the portal's contrib apps, which ``make bench-start`` starts beside the portal."""
