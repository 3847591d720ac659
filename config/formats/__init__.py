"""How dates are written: day before month, 24 hours, the same in the portal and the admin."""
