"""Logs as JSON lines with correlation ids, and the metrics of HTTP.

An exception is logged by its type and the code lines it passed, never by its message, which may
quote a card number, a PIN or a name.
"""

import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson
import structlog
from prometheus_client import Counter, Gauge, Histogram
from structlog.typing import EventDict, WrappedLogger

from shared import tracing

REQUESTS = Histogram(
    "carrel_http_request_seconds",
    "Time to answer a request, by route template",
    ["service", "method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0),
)

ERRORS = Counter("carrel_http_errors_total", "Requests that ended in an error of ours", ["service"])

IN_FLIGHT = Gauge("carrel_http_requests_in_flight", "Requests that are being answered", ["service"])


def configure_logs(service: str, replica: str, level: str) -> None:
    """Log one JSON object a line to standard error. Call once, at start."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _trace,
            _places,
            structlog.processors.JSONRenderer(serializer=_line),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, replica=replica)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(service, replica))
    handler.addFilter(_NowAndThen())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # Only errors of the Kafka client: readiness and the relay report the consequences.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    # OpenTelemetry quotes the tracestate that a caller sent.
    logging.getLogger("opentelemetry.trace").setLevel(logging.ERROR)


def route_of(scope: Mapping[str, Any]) -> str:
    """Return the template of the route that a request matched, or "none".

    Logs and metrics have it instead of the path, in which a link's secret may be.
    """
    return str(getattr(scope.get("route"), "path", "none"))


@contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Attach this id to log lines and to queries to other services in the block."""
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
        yield


def correlation_id() -> str:
    """Return the id of the current request or event; empty if there is none."""
    return str(structlog.contextvars.get_contextvars().get("correlation_id", ""))


def _line(event: Any, default: Callable[[Any], Any]) -> str:
    """Return a log line as JSON text; `default` makes text of what JSON has no form for."""
    try:
        return orjson.dumps(event, default=default).decode()
    except TypeError:  # a surrogate or a number that orjson refuses must not stop the work
        return json.dumps(event, default=default)


def _trace(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event.update(tracing.current_ids())
    return event


def _places(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        event["places"] = passed(error.__traceback__)
    return event


def passed(trace: TracebackType | None) -> list[str]:
    """Return the code lines that an exception passed; the last one raised it."""
    return [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(trace)[-12:]
    ]


REPEATED_AFTER = 10.0
"""Seconds in which one code line of a library logs once; in an outage it would log often."""


class _NowAndThen(logging.Filter):
    """Limits the log lines of libraries to one every REPEATED_AFTER seconds for each code line."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether this code line has logged nothing for REPEATED_AFTER seconds."""
        place = (record.name, record.lineno)
        if record.created - self._said.get(place, 0.0) < REPEATED_AFTER:
            return False
        self._said[place] = record.created
        return True


class _Lines(logging.Formatter):
    """Formats the log lines of libraries like our own."""

    def __init__(self, service: str, replica: str) -> None:
        super().__init__()
        self._process = {"service": service, "replica": replica}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "logger": record.name,
            "event": str(record.msg) if record.exc_info else record.getMessage(),
            **self._process,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["places"] = passed(record.exc_info[2])
        return json.dumps(line)
