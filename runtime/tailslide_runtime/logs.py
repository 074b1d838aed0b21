"""Structured logs on standard error: JSON lines for machines, columns on a terminal."""

import logging
import sys
from enum import StrEnum

import structlog
from aiohttp.http_exceptions import BadHttpMessage

# Local variables hold passwords and tokens.
_WITHOUT_LOCALS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


class LogFormat(StrEnum):
    """How log lines are written; `auto` is columns on a terminal and JSON elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severe line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def configure(process: str, level: LogLevel, log_format: LogFormat) -> None:
    """Set up the logs of this process; lines of libraries that use `logging` come out the same way."""
    on_terminal = sys.stderr.isatty()
    as_json = log_format is LogFormat.JSON or (log_format is LogFormat.AUTO and not on_terminal)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if as_json:
        shared.append(structlog.processors.ExceptionRenderer(_WITHOUT_LOCALS))
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=on_terminal, exception_formatter=structlog.dev.plain_traceback)
    )
    numeric = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(level=max(numeric, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger("aiohttp.server").addFilter(_is_not_of_a_client)


def _is_not_of_a_client(record: logging.LogRecord) -> bool:
    """Whether a line is our own: a client that does not send HTTP gets an answer that says so, and fills no log."""
    return not (record.exc_info and isinstance(record.exc_info[1], BadHttpMessage))
