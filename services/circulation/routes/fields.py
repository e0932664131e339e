"""Text, days and codes as circulation takes them, and what its routes are handed."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import Depends, Path, Request
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
)

from services.circulation.domain.title import normal_isbn
from shared import unit_of_work
from shared.clock import library_day, parse_instant
from shared.http import BusinessTime

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)


def _when(value: object) -> object:
    """A day, or an instant with its offset."""
    if not isinstance(value, str) or not FIRST_DAY.isoformat() < value < LAST_DAY.isoformat():
        raise ValueError("should be a day or an instant, as text")
    return date.fromisoformat(value) if len(value) == 10 else parse_instant(value)


def distinct(barcodes: tuple[str, ...]) -> tuple[str, ...]:
    """The barcodes, if none comes twice. Raises ValueError."""
    if len(set(barcodes)) < len(barcodes):
        raise ValueError("a barcode is given twice")
    return barcodes


def once_each(ids: tuple[str, ...]) -> tuple[str, ...]:
    """The ids, if none comes twice. Raises ValueError."""
    if len(set(ids)) < len(ids):
        raise ValueError("an id is given twice")
    return ids


def _line(text: str) -> str:
    """With single spaces, whichever of Unicode's it had (Chinese has its own)."""
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValueError("has characters that cannot be printed")
    return line


Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(_line),
]

Barcode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,40}$")]

Barcodes = Annotated[
    tuple[Barcode, ...], Field(min_length=1, max_length=50), AfterValidator(distinct)
]

ChargeIds = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...],
    Field(min_length=1, max_length=50),
    AfterValidator(once_each),
]

BranchCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,20}$")]

Category = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]
"""Of patrons or of copies, as `adult`, `young-adult`, `children`; a library may have others."""

BarcodePath = Annotated[str, Path(max_length=40)]

BranchKind = Literal["central", "major", "district", "small", "mobile", "station"]

When = Annotated[
    date | datetime,
    BeforeValidator(_when),
    Field(description="A day of the library, or an instant with its offset."),
]

Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]

Isbn = Annotated[str, StringConstraints(max_length=30), AfterValidator(normal_isbn)]

Id = Annotated[str, Path(max_length=64)]


async def _today(request: Request, now: BusinessTime) -> date:
    return library_day(now, request.app.state.settings.zone)


Today = Annotated[date, Depends(_today)]
"""The library day of business time."""


def day_of(at: date | datetime | None, run: unit_of_work.Run) -> date:
    """The library day that a command is about: that of `at`, or today."""
    if isinstance(at, datetime):
        return library_day(at, run.settings.zone)
    return at or library_day(run.now, run.settings.zone)
