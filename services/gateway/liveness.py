"""Which owners answer, and whether calls to them are tried at all: a circuit breaker for each.

An owner that hangs would let every call to it wait for the whole deadline. After FAILURES calls in
a row that were not answered its circuit is open: calls have their 503 at once. As soon as the probe
finds the process alive, or after REST_SECONDS, one call is tried; what comes of it closes the
circuit or opens it again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

import aiohttp
import structlog
from prometheus_client import Counter, Gauge

from services.gateway.projection import SOURCES
from shared.owners import OwnerAway

log = structlog.get_logger()

FAILURES = 5
"""Calls in a row without an answer, after which the circuit opens."""
WINDOW_SECONDS = 10.0
"""Within which they have to fall: what failed longer ago says nothing of now."""
REST_SECONDS = 5.0
"""After which a call is tried without a word from the probe, which may itself be stuck."""

UNANSWERED = (aiohttp.ClientError, TimeoutError, OSError)
"""How a call ends that an owner did not answer."""

_OPEN = Gauge("carrel_owner_circuit_open", "1 where calls are not tried", ["owner"])
_REFUSED = Counter("carrel_owner_calls_refused_total", "Calls that were not tried", ["owner"])


class State(Enum):
    """Of a circuit."""

    CLOSED = "closed"
    """Every call is tried."""
    OPEN = "open"
    """None is."""
    TRYING = "trying"
    """One is under way, and decides for the others."""


class Circuit:
    """Whether calls to one owner are tried. All times are of one clock, in seconds."""

    def __init__(self) -> None:
        self.state = State.CLOSED
        self._failures: list[float] = []
        self._opened_at = 0.0

    def admits(self, now: float) -> bool:
        """Whether a call is to be tried; the one that an open circuit lets through is the test."""
        if self.state is State.OPEN and now - self._opened_at >= REST_SECONDS:
            self.state = State.TRYING
            return True
        return self.state is State.CLOSED

    def alive(self) -> None:
        """The probe was answered: the next call is tried."""
        self._opened_at = -REST_SECONDS

    def answered(self) -> None:
        """A call was answered: all are tried."""
        self.state = State.CLOSED
        self._failures.clear()

    def failed(self, now: float) -> None:
        """A call was not answered."""
        recent = [at for at in self._failures if now - at < WINDOW_SECONDS]
        self._failures = [*recent, now][-FAILURES:]
        if self.state is State.TRYING or len(self._failures) == FAILURES:
            self.state = State.OPEN
            self._opened_at = now

    def given_up(self, now: float) -> None:
        """A call was given up by who made it. It shows nothing; if it was the test, wait again."""
        if self.state is State.TRYING:
            self.state = State.OPEN
            self._opened_at = now


class Liveness:
    """Which owners answer, as the probe and the forwarded calls saw it last."""

    def __init__(self) -> None:
        self._live: dict[str, bool] = {}
        self._circuits = {service: Circuit() for service in SOURCES}
        for service in SOURCES:
            _OPEN.labels(service).set(0)
            _REFUSED.labels(service)

    def saw(self, service: str, answers: bool) -> None:
        """Note that an owner answered, or did not."""
        if self._live.get(service) != answers:
            log.info("owner", owner=service, live=answers)
        self._live[service] = answers

    def probed(self, service: str, answers: bool) -> None:
        """Note what the probe found."""
        self.saw(service, answers)
        if answers:
            self._circuits[service].alive()

    def away(self, service: str) -> bool:
        """Whether the owner was seen not to answer."""
        return self._live.get(service) is False

    def report(self) -> dict[str, bool]:
        """By owner, whether it is known to answer."""
        return {service: self._live.get(service, False) for service in SOURCES}

    @contextmanager
    def calling(self, service: str) -> Iterator[None]:
        """Around a call to an owner. Raises OwnerAway at once where it is not to be tried."""
        circuit = self._circuits[service]
        if not circuit.admits(time.monotonic()):
            _REFUSED.labels(service).inc()
            raise OwnerAway(service)
        try:
            yield
        except UNANSWERED:
            circuit.failed(time.monotonic())
            self.saw(service, False)
            raise
        except BaseException:
            circuit.given_up(time.monotonic())
            raise
        else:
            circuit.answered()
            self.saw(service, True)
        finally:
            self._tell(service, circuit)

    def _tell(self, service: str, circuit: Circuit) -> None:
        open_ = circuit.state is not State.CLOSED
        _OPEN.labels(service).set(open_)
