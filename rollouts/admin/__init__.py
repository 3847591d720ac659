"""The admin: everything that is data, and transitions as buttons that run the same services."""

from . import catalogue, gitlab, history, people, rollouts  # noqa: F401 - registers
