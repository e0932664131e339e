"""End a hold: save and publish it, and give its copy to the next hold in the queue."""

from services.circulation import store
from services.circulation.domain import copy as copies
from services.circulation.domain.hold import Hold, HoldState
from services.circulation.usecases.events import hold_events
from services.circulation.usecases.steps.serve_queue import serve
from shared.unit_of_work import Work


def end(work: Work, hold: Hold, ended: Hold, acting: str | None = None) -> None:
    """Save a hold that has ended and update its patron's counts; its copy goes to the next hold.

    `acting` is the linked patron who ended it, if one did.
    """
    borrower = store.patrons.borrower(work, hold.patron_id)
    store.patrons.save_borrower(work, borrower.after(holds=-1))
    release_hold(work, hold, ended, acting)


def release_hold(work: Work, hold: Hold, ended: Hold, acting: str | None = None) -> None:
    """End a hold like `end`, except that the caller updates the patron's counts."""
    store.holds.save(work, [ended])
    work.record(hold_events.changed(hold, ended, acting))
    if hold.copy_id is None or ended.ended_on is None or ended.state is HoldState.COLLECTED:
        return
    kept = (store.titles.some_copies(work, [hold.copy_id]))[hold.copy_id]
    freed = copies.hand_on(kept, None)
    store.titles.save_copies(work, [freed])
    serve(work, [hold.title_id], ended.ended_on, freed=[freed])
