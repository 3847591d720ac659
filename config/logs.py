"""What a line of the log looks like: for people as text, else as JSON, by structlog."""

from __future__ import annotations

import logging
from functools import cached_property


class Line(logging.Formatter):
    """structlog comes with the first line: most commands write none, and it costs as much as half of Django."""

    def __init__(self, for_people: bool) -> None:
        super().__init__()
        self.for_people = for_people

    def format(self, record: logging.LogRecord) -> str:
        return self._by_structlog.format(record)

    @cached_property
    def _by_structlog(self) -> logging.Formatter:
        import structlog

        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
            ],
            processor=structlog.dev.ConsoleRenderer(colors=False)
            if self.for_people
            else structlog.processors.JSONRenderer(),
        )
