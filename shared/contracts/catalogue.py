"""The event of a title: its bibliographic record and the description of its copies."""

from datetime import date
from typing import Literal

from pydantic import Field

from shared.contracts.event import Code, Event, Id, Short, Text, Value


class CopyRecordOut(Value):
    """The description of a copy; what is null is not known."""

    call_number: Short | None
    scheme: Code | None = Field(description="Scheme of the call number, such as `ddc`.")
    shelf_location: Short | None
    collection: Short | None
    supplier: Short | None
    condition: Text | None
    acquired_on: date | None


class CopyOut(Value):
    """A copy of a title."""

    copy_id: Id
    barcode: Short
    category: Code = Field(
        description="Such as `adult`, `young-adult`, `children`; a library may add others."
    )
    branch: Code = Field(description="Code of the branch that owns the copy.")
    record: CopyRecordOut | None = Field(
        default=None, description="Null: nothing is known beyond the fields above."
    )
    volume: Short | None = Field(
        default=None, description="Volume, issue, part or disc set, such as `v. 2`; null: none."
    )


class SeriesOut(Value):
    """A series that a title belongs to."""

    title: Text
    number: Short | None = Field(description="As printed, such as `vol. 3`.")


class IdentifierOut(Value):
    """A number under which the trade or other libraries know a title."""

    scheme: Literal["isbn", "issn", "ean"]
    value: Short


class RecordOut(Value):
    """The bibliographic record of a title; what is null or empty is not known."""

    languages: tuple[Code, ...] = Field(
        max_length=100, description="Codes of ISO 639-2/B, such as `eng` or `chi`."
    )
    edition: Text | None
    publisher: Text | None
    place: Text | None = Field(description="Place of publication.")
    year: int | None = Field(ge=1, le=9999, description="Year of publication.")
    series: tuple[SeriesOut, ...] = Field(max_length=100)
    subjects: tuple[Text, ...] = Field(max_length=500)
    extent: Text | None
    audience: Literal["children", "young-adult", "adult"] | None
    summary: str | None = Field(max_length=20_000)
    contents: str | None = Field(max_length=20_000)
    cover: Text | None = Field(description="Address of a picture of the cover.")
    identifiers: tuple[IdentifierOut, ...] = Field(
        max_length=200, description="Numbers beside the ISBN of the title."
    )
    original_title: Text | None
    other_titles: tuple[Text, ...] = Field(
        max_length=100, description="The title in other scripts, and variants of it."
    )


class TitleCatalogued(
    Event,
    topic="title.catalogued",
    publisher="circulation",
    key="title_id",
    subject="title_id",
):
    """Published when a title is catalogued or it or its copies change.

    No other event has book titles.
    """

    title_id: Id
    title: Text
    authors: tuple[Text, ...] = Field(max_length=200)
    isbn: Short | None
    kind: Code = Field(description="Its format, such as `book` or `audiobook`.")
    copies: tuple[CopyOut, ...] = Field(max_length=20_000)
    record: RecordOut | None = Field(
        default=None, description="Null: nothing is known beyond the fields above."
    )
    work_id: Id | None = Field(
        default=None, description="Work of which the title is one edition; null: none."
    )
