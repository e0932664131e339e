"""The deadlines of requests: the seconds that the code names, times a factor of this process.

Only tests and benchmarks raise the factors. They keep all processors busy, so that a request may
take seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class _Factors:
    deadlines: float = 1.0
    last_resorts: float = 1.0


_factors = _Factors()


def allowed(seconds: float) -> float:
    """Return for how many seconds a step of a request may last here."""
    return seconds * _factors.deadlines


def last_resort(seconds: float) -> float:
    """Return the same for a deadline behind others, which come first in production."""
    return seconds * _factors.last_resorts


@contextmanager
def lengthened(*, deadlines: float = 1.0, last_resorts: float = 1.0) -> Iterator[None]:
    """Multiply the deadlines of this process, until the block ends."""
    global _factors  # noqa: PLW0603 - one for the process, on purpose
    former, _factors = _factors, _Factors(deadlines, last_resorts)
    try:
        yield
    finally:
        _factors = former
