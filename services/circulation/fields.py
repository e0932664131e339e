"""Field types of circulation's requests, and dependencies of its routes."""

from datetime import date, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import Depends, Path, Request
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from services.circulation.rules.loan import Channel
from services.circulation.rules.loan_period import LocalTime
from services.circulation.rules.override import Reason
from services.circulation.rules.record import normal_isbn
from services.circulation.rules.title import WORK_PREFIX
from shared import unit_of_work
from shared.auth import Caller, Forbidden
from shared.clock import library_day, parse_instant
from shared.http.bodies import Body
from shared.http.dependencies import BusinessTime


def _when(value: object) -> object:
    """Parse a day, or an instant with its UTC offset."""
    if not isinstance(value, str):
        raise ValueError("should be a day or an instant, as text")
    return date.fromisoformat(value) if len(value) == 10 else parse_instant(value)


def distinct(barcodes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the barcodes unchanged. Raises ValueError if one is given twice."""
    if len(set(barcodes)) < len(barcodes):
        raise ValueError("a barcode is given twice")
    return barcodes


def once_each(ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids unchanged. Raises ValueError if one is given twice."""
    if len(set(ids)) < len(ids):
        raise ValueError("an id is given twice")
    return ids


def _line(text: str) -> str:
    """Replace each run of white space, including Unicode's (as in Chinese text), with one space.

    Raises ValueError if the text has characters that can't be printed.
    """
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

Ids = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...],
    Field(min_length=1, max_length=50),
    AfterValidator(once_each),
]

BranchCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,20}$")]

Category = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]
"""Category of patrons or copies, such as `adult`, `young-adult` or `children`; not a fixed list."""

TillName = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=30), AfterValidator(_line)
]

BarcodePath = Annotated[str, Path(max_length=40)]

BranchKind = Literal["central", "major", "district", "small", "mobile", "station"]

Volume = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_line),
    Field(description="Volume, issue, part or disc set, such as `v. 2`."),
]

SeenVersion = Annotated[
    int | None,
    Field(
        ge=1,
        le=10**9,
        description="Version that the caller has seen; with another one it is refused.",
    ),
]

WorkId = Annotated[str, StringConstraints(pattern=rf"^{WORK_PREFIX}[A-Za-z0-9._:-]{{1,62}}$")]

When = Annotated[
    date | datetime,
    BeforeValidator(_when),
    Field(description="A library day, or an instant with its UTC offset."),
]

Isbn = Annotated[str, StringConstraints(max_length=30), AfterValidator(normal_isbn)]

Id = Annotated[str, Path(max_length=64)]


class OverrideIn(Body):
    """The reason to go on despite a limit or a block; for staff with the right."""

    reason: Line


def channel_of(caller: Caller) -> Channel:
    """Return the channel of what somebody at a desk or a station does."""
    return "station" if "station" in caller.roles else "desk"


def reason_of(override: OverrideIn | None, caller: Caller) -> Reason | None:
    """Return the reason of an override; None: none is wanted.

    Raises Forbidden for a caller without the right.
    """
    if override is None:
        return None
    if "override" not in caller.rights:
        raise Forbidden
    return Reason(caller.id, override.reason)


async def _today(request: Request, now: BusinessTime) -> date:
    return library_day(now, request.app.state.settings.zone)


Today = Annotated[date, Depends(_today)]
"""The library day of business time."""


async def _now(request: Request, now: BusinessTime) -> LocalTime:
    return _local(now, request.app.state.settings.zone)


Now = Annotated[LocalTime, Depends(_now)]
"""Business time, with the time of day in the library."""


def time_of(at: date | datetime | None, run: unit_of_work.Run) -> LocalTime | None:
    """Return the time of a command: of `at`, or now; None if `at` is a day without a time."""
    instant = run.now if at is None else at
    return _local(instant, run.settings.zone) if isinstance(instant, datetime) else None


def _local(instant: datetime, zone: ZoneInfo) -> LocalTime:
    local = instant.astimezone(zone)
    return LocalTime(instant, local.hour * 60 + local.minute)


def day_of(at: date | datetime | None, run: unit_of_work.Run) -> date:
    """Return the library day that a command is about: the day of `at`, or today."""
    if isinstance(at, datetime):
        return library_day(at, run.settings.zone)
    return at or library_day(run.now, run.settings.zone)
