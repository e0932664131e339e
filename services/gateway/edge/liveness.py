"""Liveness of the owners at each of their addresses, and circuit breakers for the calls to them.

If an owner hangs, every call to it waits for the whole deadline. After FAILURES unanswered calls in
a row its circuit opens: calls get their 503 at once. As soon as the probe finds the process alive,
or after REST_SECONDS, one trial call is made; its result closes the circuit or opens it again.
Reads and commands have a circuit each, so that slow reads, which anybody may send, never stop
commands. An address is one replica, or a balancer before several.
"""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum

import aiohttp
import structlog
from prometheus_client import Counter, Gauge

from shared.owners import OwnerAway

log = structlog.get_logger()

FAILURES = 5
"""Unanswered calls in a row after which the circuit opens."""
WINDOW_SECONDS = 10.0
"""Span in which these calls must fall; older failures do not count."""
REST_SECONDS = 5.0
"""Time until a trial call without a successful probe, because the probe may be stuck."""

UNANSWERED = (aiohttp.ClientError, TimeoutError, OSError)
"""Exceptions of a call that an owner did not answer."""

_LABELS = ("owner", "address", "calls")
_OPEN = Gauge("carrel_owner_circuit_open", "1 where calls are not tried", _LABELS)
_REFUSED = Counter("carrel_owner_calls_refused_total", "Calls that were not tried", _LABELS)


class State(Enum):
    """State of a circuit."""

    CLOSED = "closed"
    """Every call is tried."""
    OPEN = "open"
    """Calls fail fast."""
    HALF_OPEN = "half-open"
    """One trial call is under way; its result decides."""


class Circuit:
    """Circuit breaker for calls to one owner. All times are seconds of one clock."""

    def __init__(self) -> None:
        self.state = State.CLOSED
        self._failures: list[float] = []
        self._opened_at = 0.0

    def admits(self, now: float) -> bool:
        """Return whether to try a call; after REST_SECONDS an open circuit admits one trial."""
        if self.state is State.OPEN and now - self._opened_at >= REST_SECONDS:
            self.state = State.HALF_OPEN
            return True
        return self.state is State.CLOSED

    def alive(self) -> None:
        """Admit the next call as a trial, because the probe was answered."""
        self._opened_at = -REST_SECONDS

    def answered(self) -> None:
        """Record an answered call: close the circuit."""
        self.state = State.CLOSED
        self._failures.clear()

    def failed(self, now: float) -> None:
        """Record an unanswered call: open the circuit after a failed trial or too many failures."""
        recent = [at for at in self._failures if now - at < WINDOW_SECONDS]
        self._failures = [*recent, now][-FAILURES:]
        if self.state is State.HALF_OPEN or len(self._failures) == FAILURES:
            self.state = State.OPEN
            self._opened_at = now

    def given_up(self, now: float) -> None:
        """Record a call that its caller gave up. It proves nothing; a trial has to be repeated."""
        if self.state is State.HALF_OPEN:
            self.state = State.OPEN
            self._opened_at = now


class Liveness:
    """Last known liveness of each address of the owners, from the probe and forwarded calls."""

    def __init__(self, addresses: Mapping[str, Sequence[str]]) -> None:
        self._addresses = {service: tuple(found) for service, found in addresses.items()}
        self._live: dict[tuple[str, str], bool] = {}
        self._turns = itertools.count()
        self._circuits = {
            (service, address, calls): Circuit()
            for service, found in self._addresses.items()
            for address in found
            for calls in ("reads", "commands")
        }
        for labels in self._circuits:
            _OPEN.labels(*labels).set(0)
            _REFUSED.labels(*labels)

    def addresses_of(self, service: str) -> Sequence[str]:
        """Return the addresses of an owner in the order in which to try them.

        They take turns; those that are known not to answer are the last.
        """
        found = self._addresses[service]
        if len(found) == 1:
            return found
        first = next(self._turns) % len(found)
        turned = (*found[first:], *found[:first])
        return sorted(turned, key=lambda address: self._live.get((service, address)) is False)

    def saw(self, service: str, answers: bool, address: str | None = None) -> None:
        """Record whether an owner answered: at one address, or at any that it has."""
        if address is None and answers and not self.away(service):
            return  # which of them answered is not known
        for one in self._addresses[service] if address is None else (address,):
            if self._live.get((service, one)) != answers:
                log.info("owner", owner=service, address=one, live=answers)
            self._live[service, one] = answers

    def probed(self, service: str, address: str, answers: bool) -> None:
        """Record the result of a probe."""
        self.saw(service, answers, address)
        if answers:
            for calls in ("reads", "commands"):
                self._circuits[service, address, calls].alive()

    def away(self, service: str) -> bool:
        """Return whether the owner is known not to answer at any of its addresses."""
        return all(self._live.get((service, one)) is False for one in self._addresses[service])

    def report(self) -> dict[str, bool]:
        """Return for each owner whether it is known to answer."""
        return {
            service: any(self._live.get((service, one), False) for one in found)
            for service, found in self._addresses.items()
        }

    def open_circuits(self) -> list[str]:
        """Return the calls that are not tried now: to which owner, where, and which."""
        return [
            f"{calls} of {service} at {address}"
            for (service, address, calls), circuit in self._circuits.items()
            if circuit.state is State.OPEN
        ]

    @contextmanager
    def calling(self, service: str, address: str, method: str) -> Iterator[None]:
        """Guard a call to an owner. Raises OwnerAway at once if the circuit does not admit it."""
        labels = (service, address, "reads" if method in ("GET", "HEAD") else "commands")
        circuit = self._circuits[labels]
        if not circuit.admits(time.monotonic()):
            _REFUSED.labels(*labels).inc()
            raise OwnerAway(service)
        try:
            yield
        except UNANSWERED:
            circuit.failed(time.monotonic())
            self.saw(service, False, address)
            raise
        except BaseException:
            circuit.given_up(time.monotonic())
            raise
        else:
            circuit.answered()
            self.saw(service, True, address)
        finally:
            _OPEN.labels(*labels).set(circuit.state is not State.CLOSED)
