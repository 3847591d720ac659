"""The door to a Prometheus server: questions in PromQL go out, numbers with their moments come in."""

from .answers import Point, Trouble
from .client import Server

__all__ = ["Point", "Server", "Trouble"]
