"""Move the last days on the hold shelf as the branch's calendar requires."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.hold_shelf import move_shelf
from services.circulation.usecases.events import hold_events
from shared.unit_of_work import Work


@dataclass(frozen=True)
class MoveShelfDates:
    """Command to move the last shelf days of some ready holds of one branch.

    They are few, because they share one transaction. `on` is the library day.
    """

    branch: str
    hold_ids: tuple[str, ...]
    on: date


def move_shelf_dates(work: Work, command: MoveShelfDates) -> int:
    """Move the last shelf days; return how many moved.

    Each move is published. A hold that has moved already is left unchanged.
    """
    calendar = store.calendars.get(work, command.branch)
    if calendar is None:
        return 0
    holds = store.holds.some(work, command.hold_ids)
    moves = [
        (hold, moved)
        for hold in holds.values()
        if hold.pickup_branch == command.branch
        and (moved := move_shelf(hold, calendar.now, command.on)) is not hold
    ]
    store.holds.save(work, [moved for _, moved in moves])
    for hold, moved in moves:
        work.record(hold_events.changed(hold, moved))
    return len(moves)
