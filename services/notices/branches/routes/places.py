"""The place of a branch in requests and answers."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from services.notices.branches.rules.place import Place
from services.notices.fields import Names
from shared.http.bodies import Body, from_attributes

Texts = Annotated[
    dict[
        Annotated[str, StringConstraints(pattern=r"^(en|zh-Hant|zh-Hans)$")],
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)],
    ],
    Field(max_length=3, description="By language."),
]


class PlaceBody(Body):
    """The place of a branch."""

    district: Names
    street: Names = {}  # noqa: RUF012 - pydantic copies it
    directions: Texts = {}  # noqa: RUF012 - pydantic copies it
    latitude: Annotated[float, Field(ge=-90, le=90, description="Degrees north.")]
    longitude: Annotated[float, Field(ge=-180, le=180, description="Degrees east.")]

    def place(self) -> Place:
        """Return the place as a domain value."""
        return Place(**self.model_dump())


class PlaceOut(BaseModel):
    """The place of a branch; each text by language."""

    district: dict[str, str]
    street: dict[str, str]
    directions: dict[str, str]
    latitude: float
    longitude: float

    @classmethod
    def of(cls, place: Place | None) -> "PlaceOut | None":
        """Build the response from a place, if there is one."""
        return from_attributes(cls, place) if place else None
