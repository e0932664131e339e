"""Routes of titles and their copies."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints, field_validator

from services.circulation.calendars.queries import check_branches
from services.circulation.catalogue import store
from services.circulation.catalogue.commands import (
    CatalogueTitle,
    amend_title,
    catalogue_title,
)
from services.circulation.catalogue.routes.copies import CopyIn, CopyOut, each_once
from services.circulation.catalogue.routes.records import RecordIn, record_out
from services.circulation.fields import (
    Id,
    Isbn,
    Line,
    SeenVersion,
)
from services.circulation.refusals import BarcodeTaken, ChangedMeanwhile, NoSuchBranch, NoSuchTitle
from services.circulation.rules import title as title_rules
from services.circulation.rules.copy import Copy
from services.circulation.rules.title import Title
from shared.auth import Staff
from shared.contracts.catalogue import RecordOut
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db, Run
from shared.http.problems import NotFound
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


Kind = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$"),
    Field(
        description="Format of the title: "
        + ", ".join(f"`{name}`" for name in title_rules.FORMATS)
        + "; a library may have others."
    ),
]


class TitleIn(Body):
    """A title to catalogue with its copies."""

    title: Line
    authors: tuple[Line, ...] = Field(max_length=50)
    isbn: Isbn | None = None
    kind: Kind
    copies: tuple[CopyIn, ...] = Field(max_length=500)
    record: RecordIn = RecordIn()

    _each_once = field_validator("copies")(each_once)


class TitleChanges(Body):
    """The fields of a title to change; an absent field stays as it is. A null ISBN removes it.

    The same holds for the fields of its record.
    """

    title: Line = ""
    authors: tuple[Line, ...] = Field(default=(), max_length=50)
    isbn: Isbn | None = None
    kind: Kind = ""
    record: RecordIn = RecordIn()
    seen_version: SeenVersion = None

    def given(self) -> dict[str, Any]:
        """Return the given fields; those of the record are as the rule takes them."""
        given = {name: getattr(self, name) for name in self.model_fields_set - {"seen_version"}}
        return {**given, "record": self.record.changes()} if "record" in given else given


class TitleOut(BaseModel):
    """A title."""

    id: str
    title: str
    authors: tuple[str, ...]
    isbn: str | None
    kind: str
    version: int
    record: RecordOut
    work_id: str | None = Field(description="Work of which it is one edition; null: none.")

    @classmethod
    def of(cls, title: Title) -> "TitleOut":
        """Build the response from a title, without the long texts of its record."""
        return from_attributes(cls, title, record=record_out(title.record, brief=True))


class StockOut(BaseModel):
    """Number of a title's copies at a branch, and of those that can be borrowed now."""

    branch: str
    copies: int
    available: int
    call_number: str | None = Field(
        description="The first of its copies in the order of the shelves; null: none has one."
    )


class VolumeOut(BaseModel):
    """Number of copies of a volume in all libraries, and of those that can be borrowed now."""

    volume: str
    copies: int
    available: int


def stock_out(copies: list[Copy]) -> list[StockOut]:
    """Return the number of copies and of available ones for each branch."""
    return [from_attributes(StockOut, stock) for stock in title_rules.stock(copies)]


class TitleInFull(TitleOut):
    """A title with its copies."""

    copies: list[CopyOut]
    availability: list[StockOut]
    volumes: list[VolumeOut] = Field(
        description="The volumes of which there are copies, in order; empty: it has none."
    )
    editions: list[TitleOut] = Field(
        default=[], description="Other editions of its work, where one title is asked for."
    )
    volume_needed: bool = Field(
        description="True if a hold has to name a volume, because all copies are of volumes."
    )

    @classmethod
    def with_copies(cls, title: Title, copies: list[Copy]) -> "TitleInFull":
        """Build the response from a title and its copies."""
        return cls(
            **{**TitleOut.of(title).__dict__, "record": record_out(title.record)},
            copies=[CopyOut.of(copy) for copy in copies],
            availability=stock_out(copies),
            volumes=[from_attributes(VolumeOut, one) for one in title_rules.volumes(copies)],
            volume_needed=title_rules.needs_volume(copies),
        )


@router.post("/titles", status_code=201)
@refuses(BarcodeTaken, NoSuchBranch)
async def post_title(body: TitleIn, _caller: Staff, run: Run) -> TitleInFull:
    """Catalogue a title with its copies."""
    await check_branches(run, {copy.branch for copy in body.copies})
    command = CatalogueTitle(
        title=body.title,
        authors=body.authors,
        isbn=body.isbn,
        kind=body.kind,
        copies=tuple(copy.new() for copy in body.copies),
        record=body.record.new(),
    )
    catalogued = await run(catalogue_title, command)
    return TitleInFull.with_copies(catalogued.title, list(catalogued.copies))


@router.patch("/titles/{title_id}")
@refuses(NoSuchTitle, ChangedMeanwhile)
async def patch_title(title_id: Id, body: TitleChanges, _caller: Staff, run: Run) -> TitleInFull:
    """Correct the catalogue's data of a title."""
    amended = await run(amend_title, title_id, body.given(), body.seen_version)
    return TitleInFull.with_copies(amended.title, list(amended.copies))


@router.get("/titles/{title_id}")
@refuses(NotFound)
async def get_title(title_id: Id, db: Db) -> TitleInFull:
    """Get a title with its copies and their availability by branch."""
    found = await store.find(db, title_id)
    if found is None:
        raise NotFound("title")
    editions = [TitleOut.of(one) for one in await store.find_editions(db, found[0])]
    return TitleInFull.with_copies(*found).model_copy(update={"editions": editions})
