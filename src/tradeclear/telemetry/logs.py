"""Structured log lines: JSON to standard error, or plain text when a person is reading."""

import logging
import sys
from typing import TextIO, cast

import structlog

from tradeclear.telemetry.lines import TextStream, lines

log: structlog.stdlib.BoundLogger = structlog.get_logger()
"""What everyone logs with: `log.info(EVENT, field=value)`, events from `telemetry.events`."""


def configure_logs(*, level: str = "info", json: bool | None = None) -> None:
    """Set up logging once, at start. `json` None: JSON unless standard error is a terminal.

    Python's own loggers (Hypercorn's, Quart's) come out in the same shape.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    as_json = not sys.stderr.isatty() if json is None else json
    stream = TextStream(lines)
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, stream)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=last, foreign_pre_chain=shared)
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
