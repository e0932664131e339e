"""The record of a title in requests."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, HttpUrl, StringConstraints, TypeAdapter, model_validator

from services.circulation.fields import Line
from services.circulation.rules.record import Identifier, Record, Series, normal_identifier
from shared.contracts.catalogue import RecordOut
from shared.http.bodies import Body

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}$")]
Paragraphs = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000)]
_web_address = TypeAdapter(HttpUrl)


def _address(text: str) -> str:
    _web_address.validate_python(text)
    return text


class SeriesIn(Body):
    """A series that a title belongs to."""

    title: Line
    number: Annotated[Line, StringConstraints(max_length=200)] | None = None


class IdentifierIn(Body):
    """A number of the trade. It is stored in its normal form; a wrong check digit is refused."""

    scheme: Literal["isbn", "issn", "ean"]
    value: Annotated[str, StringConstraints(max_length=30)]

    @model_validator(mode="after")
    def _normal(self) -> "IdentifierIn":
        object.__setattr__(self, "value", normal_identifier(self.scheme, self.value))
        return self


class RecordIn(Body):
    """The record of a title. In a change an absent field stays as it is; a null one is removed."""

    languages: tuple[Language, ...] = Field(
        default=(), max_length=20, description="Codes of ISO 639-2/B, such as `eng` or `chi`."
    )
    edition: Line | None = None
    publisher: Line | None = None
    place: Line | None = Field(default=None, description="Place of publication.")
    year: int | None = Field(default=None, ge=1, le=9999, description="Year of publication.")
    series: tuple[SeriesIn, ...] = Field(default=(), max_length=20)
    subjects: tuple[Line, ...] = Field(default=(), max_length=100)
    extent: Line | None = None
    audience: Literal["children", "young-adult", "adult"] | None = None
    summary: Paragraphs | None = None
    contents: Paragraphs | None = None
    cover: Annotated[str, StringConstraints(max_length=500), AfterValidator(_address)] | None = (
        Field(default=None, description="Address of a picture of the cover.")
    )
    identifiers: tuple[IdentifierIn, ...] = Field(
        default=(), max_length=50, description="Numbers beside the ISBN of the title."
    )
    original_title: Line | None = None
    other_titles: tuple[Line, ...] = Field(default=(), max_length=20)

    def changes(self) -> dict[str, Any]:
        """Return the given fields as those of a record."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if "series" in given:
            given["series"] = tuple(Series(each.title, each.number) for each in self.series)
        if "identifiers" in given:
            numbers = ((each.scheme, each.value) for each in self.identifiers)
            given["identifiers"] = tuple(Identifier(*each) for each in dict.fromkeys(numbers))
        return given

    def new(self) -> Record:
        """Convert to the record that a command takes."""
        return Record(**self.changes())


def record_out(record: Record, *, brief: bool = False) -> RecordOut:
    """Return a record as responses have it; `brief` leaves out its long texts."""
    shown = replace(record, summary=None, contents=None) if brief else record
    return RecordOut.model_validate(shown, from_attributes=True)
