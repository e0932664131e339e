"""A notice: what a branch or the whole library announces to everyone."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class Notice:
    """A notice, as it was published."""

    id: str
    version: int
    title: str
    content: str
    branches: tuple[str, ...]
    """Branch codes; empty: the whole library."""
    date: date
    published_at: datetime
