"""The admin: everything that is data, and transitions as buttons that run the same services."""
