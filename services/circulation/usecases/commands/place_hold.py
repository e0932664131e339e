"""Place a hold on a title."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import hold as rules
from services.circulation.domain.hold import Hold
from services.circulation.domain.hold_queue import policy_at_placing
from services.circulation.domain.patron import Patron, is_blocked
from services.circulation.domain.refusals.branches import NoSuchBranch
from services.circulation.domain.refusals.patrons import NoSuchPatron
from services.circulation.domain.refusals.titles import NoSuchTitle
from services.circulation.usecases.events import hold_events
from services.circulation.usecases.steps.acting_patron import acting, may_act
from services.circulation.usecases.steps.serve_queue import hand_out
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class PlaceHold:
    """Command to place a hold for a patron; `expires_on` is the last day on which it is wanted."""

    patron_id: str
    title_id: str
    pickup_branch: str
    expires_on: date | None
    on: date
    asking: str | None = None
    """Id of the patron who asks, the same or one with a linked card; None: staff."""
    patron: Patron | None = None
    """Answer of accounts about a patron that circulation does not know."""


@dataclass(frozen=True)
class QueuedHold:
    """A hold and its position in the queue: 1 is next; None: it no longer waits."""

    hold: Hold
    position: int | None


def place_hold(work: Work, command: PlaceHold) -> QueuedHold:
    """Place the hold; a copy that is free is set aside for it at once, for staff to fetch.

    Raises NoSuchTitle, NoSuchBranch, NoSuchPatron, or a refusal of `hold.place`.
    """
    if not may_act(work, command.asking, command.patron_id):
        raise NoSuchPatron
    # Early, because two patrons at once conflict here; the later one then loses little work.
    place = store.holds.take_place(work, command.title_id)
    if store.titles.get(work, command.title_id) is None:
        raise NoSuchTitle
    branch = store.calendars.get(work, command.pickup_branch)
    if branch is None:
        raise NoSuchBranch(branch=command.pickup_branch)
    patron = _patron(work, command)
    borrower = store.patrons.borrower(work, patron.id)
    if borrower.closed:
        raise NoSuchPatron
    loans = store.loans.open_of_patron(work, patron.id)
    policy = policy_at_placing(
        patron,
        store.titles.categories_of(work, command.title_id),
        branch.kind,
        store.policies.matrix(work),
    )
    hold = rules.place(
        hold_id=new_id(),
        patron=patron,
        title_id=command.title_id,
        pickup_branch=command.pickup_branch,
        place=place,
        at=work.now,
        on=command.on,
        expires_on=command.expires_on,
        policy=policy,
        blocked=is_blocked(patron, borrower.outstanding_cents, policy),
        open_holds=borrower.open_holds,
        holds_title=bool(store.holds.open_of_patron(work, patron.id, [command.title_id])),
        has_title=any(loan.title_id == command.title_id for loan in loans),
    )
    store.patrons.save_borrower(work, borrower.after(holds=1))
    store.holds.add(work, hold)
    work.record(hold_events.placed(hold, acting(command.asking, patron.id)))
    served = hand_out(work, [command.title_id], command.on)
    now = next((s.hold for s in served.values() if s.hold and s.hold.id == hold.id), hold)
    return QueuedHold(now, store.holds.position(work, now))


def _patron(work: Work, command: PlaceHold) -> Patron:
    if command.patron is not None:
        store.patrons.note(work, command.patron)
    patron = store.patrons.get(work, command.patron_id)
    if patron is None:
        raise NoSuchPatron
    return patron
