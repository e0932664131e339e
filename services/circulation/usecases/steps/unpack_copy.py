"""Record the arrival of a copy that was in transit or was to be fetched."""

from datetime import date

from services.circulation import store
from services.circulation.domain.copy import Copy, arrive
from services.circulation.domain.hold import Hold
from services.circulation.domain.hold_shelf import allot
from services.circulation.domain.refusals.branches import NoSuchBranch
from services.circulation.usecases.events import hold_events
from services.circulation.usecases.steps.serve_queue import Served
from shared.unit_of_work import Work


def unpack(work: Work, copy: Copy, branch_code: str, on: date) -> Served:
    """Record the arrival of a copy; it is then kept or sent for its hold, or free to be handed out.

    The caller has written the queue of its title already. Raises NotInThisState.
    """
    arrived = arrive(copy, branch_code)
    store.titles.save_copies(work, [arrived])
    if copy.hold_id and (hold := store.holds.get(work, copy.hold_id)):
        return _for_hold(work, arrived, hold, on)
    return Served(arrived, None)


def _for_hold(work: Work, copy: Copy, hold: Hold, on: date) -> Served:
    """Put the copy on the hold shelf for `hold`, or send it on to the pick-up branch."""
    branch = store.calendars.get(work, hold.pickup_branch)
    if branch is None:
        raise NoSuchBranch(branch=hold.pickup_branch)
    patron = store.patrons.get(work, hold.patron_id)
    policies = store.policies.matrix(work)
    policy = policies.pick(patron.category if patron else "", copy.category, branch.kind)
    after, placed = allot(hold, copy, on=on, shelf_days=policy.hold_shelf_days, calendar=branch.now)
    store.titles.save_copies(work, [placed])
    if after is not hold:
        store.holds.save(work, [after])
        work.record(hold_events.changed(hold, after))
    return Served(placed, after)
