"""Field types that the requests of several subjects have."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import Path, Query, Request
from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from shared.clock import library_day
from shared.http.bodies import ONE_LINE


def _utc(instant: datetime) -> datetime:
    """Convert to UTC and drop fractions of a second, as stored, published and answered."""
    try:
        return instant.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise ValueError("no such time") from None


def _plain(url: str) -> str:
    """Refuse an address with characters that nobody sees, or without a host."""
    if not url.isprintable() or not urlsplit(url).hostname:
        raise ValueError("no address of the web")
    return url


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), ONE_LINE
]
Paragraphs = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000)]
Remarks = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
PageLanguage = Literal["en", "zh-Hant", "zh-Hans"]
SpokenLanguage = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
Audience = Literal["everyone", "children", "young-adults", "adults", "seniors", "families"]
Age = Annotated[int, Field(ge=0, le=120)]
ActivityType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]
BranchCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,20}$")]
ByType = Annotated[ActivityType | None, Query(alias="type")]
ByBranch = Annotated[BranchCode | None, Query()]
PlaceCount = Annotated[int, Field(ge=1, le=100_000)]
WebAddress = Annotated[
    str,
    StringConstraints(max_length=2000, pattern=r"^https?://[^\s\\]+$"),
    AfterValidator(_plain),
]
ActivityId = Annotated[str, Path(max_length=64)]
BranchId = Annotated[str, Path(max_length=20)]
BookingId = Annotated[str, Path(max_length=64)]
PatronId = Annotated[str, Path(max_length=64)]
SeasonId = Annotated[str, Path(max_length=64)]


def today_of(request: Request, now: datetime) -> date:
    """Return the date in the library's time zone at `now`."""
    return library_day(now, request.app.state.settings.zone)
