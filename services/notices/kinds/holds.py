"""Notifications about a hold: ready, kept for longer, expired, or cancelled by staff."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Self

from pydantic import BaseModel

from services.notices.branches import store as branches_store
from services.notices.branches.rules.branch import opens_after_closure
from services.notices.kinds.kind import AtBranch, Known
from services.notices.language import Language
from shared.clock import library_day
from shared.contracts.circulation import HoldCancelled, HoldChanged, HoldExpired, HoldReady
from shared.owners import path_to
from shared.translations import marked
from shared.unit_of_work import Run

ITEM = marked("An item that you reserved")
"""Replaces a title that is not known yet."""


async def _opens_on(pickup_branch: str, run: Run) -> date | None:
    """Return the first day to collect an item at a closed branch, None if the branch is open.

    None also if no end of its closure is announced, or if the branch is not known.
    """
    branch = await branches_store.find_one(run.database, pickup_branch)
    today = library_day(run.now, run.settings.zone)
    return None if branch is None else opens_after_closure(branch, today)


class Hold(BaseModel):
    """Circulation's answer: a hold in its present state."""

    state: str
    pickup_branch: str
    shelf_until: date | None = None


@dataclass(frozen=True, kw_only=True)
class OfHold(AtBranch):
    """The facts of every notification about a hold."""

    title_id: str
    hold_id: str
    shelf_until: date | None = None
    """Last day on which a kept item can be collected; None if no end is announced."""
    volume: str | None = None

    def names(self, known: Known, language: Language) -> dict[str, str]:
        """Return the title of the item with its volume, and the name of the pick-up branch."""
        title = known.titles.get(self.title_id)
        if title and self.volume:
            title = f"{title} {self.volume}"
        return {**super().names(known, language), "title": language.quoted(title, ITEM)}


@dataclass(frozen=True, kw_only=True)
class OnShelf(OfHold):
    """The facts of every notification about an item on the hold shelf."""

    must_name = frozenset({"collect_from"})

    collect_from: date | None = None
    """First day on which the pick-up branch is open again; None if it is open."""

    async def current(self, run: Run) -> Self | None:
        """Return the span in which it can be collected; None if it no longer waits there."""
        path = path_to("v1", "holds", self.hold_id)
        answer = await run.owners.get("circulation", path, now=run.now)
        hold = None if answer is None else Hold.model_validate(answer)
        if hold is None or (hold.state, hold.pickup_branch) != ("ready", self.branch):
            return None
        opens_on = await _opens_on(self.branch, run)
        return replace(self, shelf_until=hold.shelf_until, collect_from=opens_on)

    async def useful_until(self, run: Run) -> date | None:
        """Return the last day to collect the item."""
        return self.shelf_until


@dataclass(frozen=True, kw_only=True)
class Ready(OnShelf, events=[HoldReady], name=marked("Reserved item ready")):
    """A notification that a reserved item can be collected: from when, and until when."""

    by_post = True

    @classmethod
    async def of(cls, event: HoldReady, run: Run) -> Self:
        """Return the facts of the hold, with the span in which the item can be collected."""
        opens_on = await _opens_on(event.pickup_branch, run)
        return cls.from_event(event, branch=event.pickup_branch, collect_from=opens_on)

    async def delay(self, run: Run) -> timedelta:
        """Return the time that the branch takes to put the item on its hold shelf."""
        found = await branches_store.find_ready_delay(run.database, self.branch)
        return timedelta(minutes=found.minutes if found else 0)

    @property
    def is_usual(self) -> bool:
        """False if the library is closed and no reopening is announced."""
        return self.collect_from is not None or self.shelf_until is not None

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the span in which the item can be collected."""
        if self.collect_from and self.shelf_until:
            return [
                marked(
                    "{title} can be collected at {branch} from {collect_from}, when the library "
                    "is open again, until {shelf_until}."
                )
            ]
        if self.collect_from:
            return [
                marked(
                    "{title} can be collected at {branch} from {collect_from}, when the library "
                    "is open again."
                )
            ]
        if self.shelf_until:
            return [marked("{title} can be collected at {branch} until {shelf_until}.")]
        return [marked("{title} can be collected at {branch} once the library is open again.")]


@dataclass(frozen=True, kw_only=True)
class KeptLonger(OnShelf, events=[HoldChanged], name=marked("Reserved item kept longer")):
    """A notification that a closure moved the last day to collect an item."""

    @classmethod
    async def of(cls, event: HoldChanged, run: Run) -> Self | None:
        """Return the span in which the item can be collected, if it is on the shelf."""
        if event.state != "ready" or event.previous_shelf_until == event.shelf_until:
            return None
        opens_on = await _opens_on(event.pickup_branch, run)
        return cls.from_event(event, branch=event.pickup_branch, collect_from=opens_on)

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the span in which the item can be collected."""
        if self.collect_from and self.shelf_until:
            return [
                marked(
                    "{title} is kept for you at {branch}. You can collect it from {collect_from}, "
                    "when the library is open again, until {shelf_until}."
                )
            ]
        if self.shelf_until:
            return [
                marked(
                    "{title} is kept for you at {branch} until {shelf_until}, because the library "
                    "is closed for a time."
                )
            ]
        return [marked("{title} is kept for you at {branch} for as long as the library is closed.")]


@dataclass(frozen=True, kw_only=True)
class Expired(OfHold, events=[HoldExpired], name=marked("Reservation expired")):
    """A notification of an expired hold: the item was not collected, or not free in time."""

    uncollected: bool = False
    """True if the hold ended because nobody collected the item."""

    @classmethod
    async def of(cls, event: HoldExpired, run: Run) -> Self:
        """Return the facts of the expired hold, with the reason for its end."""
        return cls.from_event(event, branch=event.pickup_branch)

    def texts(self, known: Known) -> list[str]:
        """Return a sentence with the reason for the end."""
        if self.uncollected:
            return [
                marked("{title} was not collected at {branch} in time. Your reservation has ended.")
            ]
        return [
            marked(
                "{title} was not available by the day that you chose. Your reservation has ended."
            )
        ]


@dataclass(frozen=True, kw_only=True)
class Cancelled(
    OfHold, events=[HoldCancelled], name=marked("Reservation cancelled by the library")
):
    """A notification of a hold that staff cancelled; patrons know of their own cancellations."""

    @classmethod
    async def of(cls, event: HoldCancelled, run: Run) -> Self | None:
        """Return the facts of the hold if staff cancelled it."""
        return cls.from_event(event, branch=event.pickup_branch) if event.by == "staff" else None

    sentences = (marked("The library has cancelled your reservation: {title}."),)
