"""Copies in requests and responses, and the route of one copy."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints, field_validator

from services.circulation.catalogue import store
from services.circulation.catalogue.commands import NewCopy
from services.circulation.fields import (
    Barcode,
    BarcodePath,
    BranchCode,
    Category,
    Line,
    SeenVersion,
    Volume,
    distinct,
)
from services.circulation.rules.call_number import CallNumber, shelf_order
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.record import CopyRecord
from shared.auth import Staff
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db
from shared.http.problems import NotFound
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

Name = Annotated[Line, StringConstraints(max_length=100)]
VOLUME = Field(description="Volume, issue, part or disc set, such as `v. 2`; null: none.")
Price = Annotated[int, Field(ge=0, le=10_000_000)]


class CallNumberIn(Body):
    """A call number, as it stands on the label."""

    number: Name
    scheme: Literal["ddc", "lcc", "nlm", "udc", "ccl", "clc", "other"] = "ddc"


class CopyRecordIn(Body):
    """The description of a copy. In a change an absent field stays; a null one is removed."""

    call_number: CallNumberIn | None = None
    shelf_location: Name | None = None
    collection: Name | None = None
    supplier: Name | None = None
    condition: Line | None = None
    acquired_on: date | None = None
    note: Line | None = None

    def changes(self) -> dict[str, Any]:
        """Return the given fields as those of a copy's record."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if self.call_number:
            given["call_number"] = CallNumber(self.call_number.number, self.call_number.scheme)
        return given


class CopyTerms(Body):
    """Terms of copies that are catalogued together."""

    category: Category
    branch: BranchCode
    price_cents: Price | None = None
    volume: Volume | None = None
    record: CopyRecordIn = CopyRecordIn()
    state: Literal["available", "on-order", "in-process"] = "available"

    def with_barcode(self, barcode: str) -> NewCopy:
        """Return a copy as the command takes it."""
        record = CopyRecord(**self.record.changes())
        return NewCopy(
            barcode,
            self.category,
            self.branch,
            self.price_cents,
            None if record == CopyRecord() else record,
            CopyState(self.state),
            self.volume,
        )


class CopyIn(CopyTerms):
    """A copy to catalogue."""

    barcode: Barcode

    def new(self) -> NewCopy:
        """Convert to the copy that the command takes."""
        return self.with_barcode(self.barcode)


def each_once(copies: tuple[CopyIn, ...]) -> tuple[CopyIn, ...]:
    """Return the copies unchanged. Raises ValueError if a barcode is given twice."""
    distinct(tuple(copy.barcode for copy in copies))
    return copies


class CopiesIn(Body):
    """Copies to add to a title."""

    copies: tuple[CopyIn, ...] = Field(min_length=1, max_length=500)

    _each_once = field_validator("copies")(each_once)


class NumberedIn(CopyTerms):
    """Copies to add to a title, with barcodes that are numbered on."""

    count: int = Field(ge=1, le=100, description="Number of copies.")
    first_barcode: Barcode | None = Field(
        default=None,
        description="Ends in digits. The copies get the first numbers from it on that are greater "
        "than all of its series. Null: the series of the copy that was catalogued last.",
    )


class CopyChanges(Body):
    """The fields of a copy to change; an absent field stays as it is."""

    category: Category = ""
    branch: BranchCode = ""
    price_cents: Price | None = None
    volume: Volume | None = None
    record: CopyRecordIn = CopyRecordIn()
    seen_version: SeenVersion = None
    send_now: bool = Field(
        default=False, description="Send it to its branch at once if it is on a shelf elsewhere."
    )

    def given(self) -> dict[str, Any]:
        """Return the given fields as the rule takes them."""
        fields = self.model_fields_set - {"seen_version", "send_now"}
        given = {name: getattr(self, name) for name in fields}
        if "branch" in given:
            given["branch_code"] = given.pop("branch")
        return {**given, "record": self.record.changes()} if "record" in given else given


class CallNumberOut(BaseModel):
    """A call number."""

    number: str
    scheme: str
    shelf_order: str = Field(description="Sorts as the copies of one scheme stand on the shelves.")

    @classmethod
    def of(cls, copy: Copy) -> "CallNumberOut | None":
        """Build the response from a copy; None: it has no call number."""
        if copy.record is None or (number := copy.record.call_number) is None:
            return None
        return cls(number=number.number, scheme=number.scheme, shelf_order=shelf_order(number))


class CopyOut(BaseModel):
    """A copy of a title."""

    copy_id: str
    barcode: str
    category: str
    branch: str
    state: str
    price_cents: int | None
    volume: str | None = VOLUME
    call_number: CallNumberOut | None
    shelf_location: str | None
    collection: str | None

    @classmethod
    def of(cls, copy: Copy) -> "CopyOut":
        """Build the response from a copy."""
        return from_attributes(
            cls,
            copy,
            copy_id=copy.id,
            branch=copy.branch_code,
            state=copy.state.value,
            call_number=CallNumberOut.of(copy),
            shelf_location=copy.record.shelf_location if copy.record else None,
            collection=copy.record.collection if copy.record else None,
        )


class CopyDetail(BaseModel):
    """A copy, its location and the hold that it is for."""

    copy_id: str
    title_id: str
    barcode: str
    category: str
    branch: str = Field(description="Code of the branch that owns the copy.")
    state: CopyState
    at_branch: str = Field(
        description="Code of the branch where the copy is or, on loan or in transit, that it left."
    )
    bound_for: str | None = Field(
        description="Code of the branch that the copy travels to; null: not in transit."
    )
    hold_id: str | None = Field(
        description="Id of the hold that the copy is set aside, kept or in transit for; null: none."
    )
    version: int
    price_cents: int | None
    volume: str | None = VOLUME
    call_number: CallNumberOut | None
    shelf_location: str | None
    collection: str | None
    supplier: str | None
    condition: str | None
    acquired_on: date | None
    note: str | None

    @classmethod
    def of(cls, copy: Copy) -> "CopyDetail":
        """Build the response from a copy."""
        record = copy.record or CopyRecord()
        return from_attributes(
            cls,
            copy,
            copy_id=copy.id,
            branch=copy.branch_code,
            call_number=CallNumberOut.of(copy),
            shelf_location=record.shelf_location,
            collection=record.collection,
            supplier=record.supplier,
            condition=record.condition,
            acquired_on=record.acquired_on,
            note=record.note,
        )


@router.get("/copies/{barcode}")
@refuses(NotFound)
async def get_copy(barcode: BarcodePath, _caller: Staff, db: Db) -> CopyDetail:
    """Get a copy by its barcode."""
    copy = await store.find_copy(db, barcode)
    if copy is None:
        raise NotFound("copy")
    return CopyDetail.of(copy)
