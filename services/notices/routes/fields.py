"""Field types that the requests of several subjects have."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from services.notices.domain.hours import Hours
from shared.http.bodies import ONE_LINE, Body

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,10}$")]
BranchKind = Literal["central", "major", "district", "small", "mobile", "station"]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), ONE_LINE
]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), ONE_LINE
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
Language = Literal["en", "zh-Hant", "zh-Hans"]
Names = Annotated[
    dict[Annotated[str, StringConstraints(pattern=r"^(en|zh-Hant|zh-Hans)$")], Name],
    Field(max_length=3, description="Its name in other languages, by language."),
]
Id = Annotated[str, StringConstraints(max_length=100)]
Weekday = Annotated[
    int, Field(ge=1, le=7, description="Weekday as in ISO 8601: 1 is Monday, 7 is Sunday.")
]


class HoursBody(Body):
    """Opening hours on one weekday; a weekday may have several."""

    weekday: Weekday
    opens: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    closes: str = Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")

    def hours(self) -> Hours:
        """Return the hours as a domain value."""
        return Hours(self.weekday - 1, self.opens, self.closes)


WeekBody = Annotated[list[HoursBody], Field(max_length=28)]


class ScopeBody(Body):
    """Some branches, named by code or by kind."""

    branches: list[Code] | None = Field(default=None, max_length=1000)
    kinds: list[BranchKind] | None = Field(default=None, max_length=6)

    @property
    def codes_and_kinds(self) -> tuple[frozenset[str], frozenset[str]]:
        """The codes and the kinds that name the branches."""
        return frozenset(self.branches or ()), frozenset(self.kinds or ())
