"""Fields and cursors that the requests of several subjects have."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from services.notices.refusals import BadCursor
from shared.clock import parse_instant
from shared.http.bodies import ONE_LINE, Body
from shared.http.paging import Page

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


class ScopeBody(Body):
    """Some branches, named by code or by kind."""

    branches: list[Code] | None = Field(default=None, max_length=1000)
    kinds: list[BranchKind] | None = Field(default=None, max_length=6)

    @property
    def codes_and_kinds(self) -> tuple[frozenset[str], frozenset[str]]:
        """The codes and the kinds that name the branches."""
        return frozenset(self.branches or ()), frozenset(self.kinds or ())


def cursor(at: datetime, key: str) -> str:
    """Return the cursor after the item with this instant and key."""
    # Without a plus sign, which a query would have to escape.
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z_{key}"


def position(page: Page) -> tuple[datetime, str] | None:
    """Return the instant and the key after which a page begins; None for the first page.

    Raises BadCursor.
    """
    if page.after is None:
        return None
    at, _, key = page.after.partition("_")
    try:
        return parse_instant(at), key
    except ValueError:
        raise BadCursor from None
