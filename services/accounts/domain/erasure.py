"""The erasure of a patron, which circulation has to allow first."""

from dataclasses import dataclass
from datetime import datetime, timedelta

PATIENCE = timedelta(seconds=10)
"""Age from which the job finishes an erasure; before that, the request that began it does."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure that was begun, kept until the patron is erased or the erasure is refused."""

    id: str
    """Id of the patron."""
    begun_at: datetime
    """Instant of the last request for it (wall clock)."""
    version: int = 1
    """Number of requests for it."""
