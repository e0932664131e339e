"""Note what notices says of a branch."""

from services.circulation import store
from services.circulation.domain.branch_calendar import (
    AnnouncedClosure,
    Announcement,
    BranchCalendar,
)
from services.circulation.domain.rework import branch_rework_id
from shared.contracts.notices import BranchSnapshot
from shared.unit_of_work import Work

WEEK = frozenset(range(1, 8))


async def note_calendar(work: Work, event: BranchSnapshot) -> None:
    """Keep the branch's calendar, unless a newer one is known. `move_due_dates` goes on from it."""
    await store.calendars.note(work, calendar_of(event))
    await store.reworks.want(work, branch_rework_id(event.branch), event.version)


def calendar_of(event: BranchSnapshot) -> BranchCalendar:
    """The calendar that a snapshot tells.

    A branch without any hours has none published; it is closed by its closures only.
    """
    opens = {hours.weekday + 1 for hours in event.hours}
    return BranchCalendar(
        id=event.branch,
        version=event.version,
        kind=event.kind,
        weekly_closed=WEEK - opens if opens else frozenset(),
        closures=tuple(
            AnnouncedClosure(
                id=closure.closure_id,
                starts_on=closure.from_,
                reason=closure.reason,
                announcements=tuple(
                    Announcement(said.version, said.at, said.reopened_on)
                    for said in closure.announcements
                ),
            )
            for closure in event.closures
        ),
    )
