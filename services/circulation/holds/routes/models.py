"""Bodies and responses of the routes of holds."""

from datetime import date, datetime
from typing import Self

from pydantic import BaseModel, Field, model_validator

from services.circulation.catalogue.routes.copies import CallNumberOut
from services.circulation.fields import (
    Barcode,
    BranchCode,
    OverrideIn,
    Volume,
    WorkId,
)
from services.circulation.holds.commands.holds import QueuedHold
from services.circulation.holds.commands.placing import (
    HoldEffect,
)
from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import Hold, HoldState
from services.circulation.rules.ready_date import SHARE
from shared.http.bodies import Body, Day, from_attributes


class HoldIn(Body):
    """A title, volume, copy or work to reserve, and the branch where it is to be collected."""

    title_id: str | None = Field(default=None, min_length=1, max_length=64)
    volume: Volume | None = Field(
        default=None,
        description="With `title_id`: the volume, as the title lists it. Needed if each copy is "
        "one.",
    )
    barcode: Barcode | None = Field(
        default=None, description="Instead of `title_id`: the only copy that is wanted."
    )
    work_id: WorkId | None = Field(
        default=None,
        description="Instead of `title_id`: a work, of which any edition is wanted.",
    )
    pickup_branch: BranchCode
    expires_on: Day | None = Field(
        default=None, description="Last day on which the patron wants the title; null: no last day."
    )
    patron_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Id of the patron that the hold is for: any for staff, one with a linked card "
        "for patrons; null: the caller.",
    )
    override: OverrideIn | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if sum(one is not None for one in (self.title_id, self.barcode, self.work_id)) != 1:
            raise ValueError("has one of title_id, barcode and work_id")
        if self.volume is not None and self.title_id is None:
            raise ValueError("a volume is given with title_id only")
        return self


class HoldChange(Body):
    """The fields to change; a field that is not given stays as it is."""

    pickup_branch: BranchCode | None = None
    expires_on: Day | None = None
    frozen: bool | None = Field(
        default=None,
        description="True freezes the hold: it is passed over. False unfreezes it. Null: "
        "unchanged.",
    )
    frozen_until: Day | None = Field(
        default=None,
        description="With `frozen`: first day on which the hold may be served again; null: "
        "frozen until it is unfrozen.",
    )


class LikelyReadyOut(BaseModel):
    """The day by which a share of such holds is ready: an estimate, never a promise."""

    day: date
    share: float

    @classmethod
    def of(cls, day: date | None) -> "LikelyReadyOut | None":
        """Build the response from a day; None: too little is known."""
        return None if day is None else cls(day=day, share=SHARE)


class LikelyTitleOut(BaseModel):
    """A title, and the day by which a hold that is placed now is likely ready."""

    title_id: str
    likely_ready_by: LikelyReadyOut


class LikelyTitles(BaseModel):
    """The titles about which something can be said, in no order."""

    items: list[LikelyTitleOut]


class HoldOut(BaseModel):
    """A hold."""

    id: str
    patron_id: str
    title_id: str = Field(
        description="With `any_edition`: the edition of its copy or, until it has one, one of the "
        "work."
    )
    title: str | None = Field(
        default=None, description="Given where holds are read; null: elsewhere."
    )
    volume: str | None = Field(description="The volume that is wanted; null: no volume.")
    barcode: str | None = Field(description="The only copy that is wanted; null: any.")
    work_id: str | None = Field(description="Work of the title; null: none.")
    any_edition: bool = Field(description="True if any edition of the work is wanted.")
    pickup_branch: str
    state: HoldState
    position: int | None = Field(
        description="Position among the holds that wait for the same copies, 1 is next; null: the "
        "hold does not wait."
    )
    placed_at: datetime
    expires_on: date | None = Field(
        description="Last day on which the patron wants the title while the hold waits; null: no "
        "last day."
    )
    frozen: bool
    frozen_until: date | None
    copy_id: str | None
    ready_on: date | None
    shelf_until: date | None = Field(
        description="Last day to collect the copy; null: not ready, or no reopening is announced."
    )
    likely_ready_by: LikelyReadyOut | None = Field(
        default=None,
        description="Given where holds are read: when it is likely ready while it waits; null: too "
        "little is known.",
    )
    version: int

    @classmethod
    def of(
        cls, hold: Hold, position: int | None, likely: date | None = None, title: str | None = None
    ) -> "HoldOut":
        """Build the response from a hold."""
        return from_attributes(
            cls, hold, title=title, position=position, likely_ready_by=LikelyReadyOut.of(likely)
        )

    @classmethod
    def at(cls, queued: QueuedHold) -> "HoldOut":
        """Build the response from a hold with its position in the queue."""
        return cls.of(queued.hold, queued.position)


class HoldEffectOut(BaseModel):
    """The effect of a hold that was not placed."""

    title_id: str
    pickup_branch: str
    position: int | None = Field(
        description="Position in the queue, 1 is next; null: a copy would be set aside at once."
    )
    likely_ready_by: LikelyReadyOut | None = None
    fee_cents: int = Field(description="Fee when the copy is collected, in cents; 0: no fee.")
    currency: str = "HKD"
    open_holds: int = Field(description="The patron's open holds, with this one.")
    max_holds: int = Field(description="Most open holds that the patron may have.")

    @classmethod
    def of(cls, effect: HoldEffect, likely: date | None) -> "HoldEffectOut":
        """Build the response from the effect."""
        hold = effect.queued.hold
        return cls(
            title_id=hold.title_id,
            pickup_branch=hold.pickup_branch,
            position=effect.queued.position,
            likely_ready_by=LikelyReadyOut.of(likely),
            fee_cents=effect.fee_cents,
            open_holds=effect.open_holds,
            max_holds=effect.max_holds,
        )


class HoldList(BaseModel):
    """All open holds of a patron."""

    items: list[HoldOut]


class ToFetchOut(BaseModel):
    """A copy that staff have to fetch from a shelf for a hold."""

    barcode: str
    copy_id: str
    title_id: str
    title: str
    volume: str | None = Field(description="Volume of the copy; null: none.")
    call_number: CallNumberOut | None
    shelf_location: str | None
    category: str
    hold_id: str
    pickup_branch: str = Field(description="Code of the branch where the patron collects the copy.")
    placed_at: datetime = Field(description="Time at which the hold was placed.")

    @classmethod
    def of(cls, copy: Copy, title: str, hold: Hold) -> "ToFetchOut":
        """Build the response from a copy, the name of its title, and its hold."""
        return from_attributes(
            cls,
            copy,
            copy_id=copy.id,
            title=title,
            call_number=CallNumberOut.of(copy),
            shelf_location=copy.record.shelf_location if copy.record else None,
            hold_id=hold.id,
            pickup_branch=hold.pickup_branch,
            placed_at=hold.placed_at,
        )


class ToFetchPage(BaseModel):
    """A page of copies to fetch; send `next` as `after` for the next page."""

    items: list[ToFetchOut]
    next: str | None


class AwaitedOut(BaseModel):
    """Barcodes that a desk needs to work without a network. They say nothing of who waits."""

    waiting: list[str] = Field(
        description="Barcodes of copies on loan for which a reader waits who collects here."
    )
    kept: list[str] = Field(description="Barcodes of copies that are kept for a reader here.")
    complete: bool = Field(description="False: there are more than these.")


class HoldPage(BaseModel):
    """A page of holds; send `next` as `after` for the next page."""

    items: list[HoldOut]
    next: str | None
