"""Erase a patron, once circulation has confirmed that nothing of theirs is open.

Accounts does not know loans and charges. So an erasure has three steps, each safe to repeat:
accounts notes that it was begun, circulation closes the patron's borrowing for good or says what is
open, and accounts erases the patron or drops the note. If a process ends between two steps, the job
`erasures` takes the others.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import BaseModel

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Patron
from services.accounts.family.commands import end_links_of_erased, erase_invitations
from services.accounts.openid import store as openid_store
from services.accounts.passkeys import store as passkeys_store
from services.accounts.patrons import store
from services.accounts.patrons.events import record_patron_event
from services.accounts.patrons.refusals import NotSettled
from services.accounts.patrons.rules import Erasure, erase
from services.accounts.pins import store as pins_store
from services.accounts.preferences import store as preferences_store
from services.accounts.refusals import NoSuchPatron
from services.accounts.sign_in import store as sign_in_store
from services.accounts.sign_in.commands.sessions import end_all
from shared.audit_trail import Act
from shared.clock import wall_clock
from shared.contracts.accounts import PatronErased
from shared.deadlines import allowed
from shared.failpoint import failpoint
from shared.idempotency import delete_responses
from shared.owners import OwnerAway, path_to
from shared.refusals import or_refuse
from shared.unit_of_work import Run, Work

LENDER = "circulation"
WITHIN_SECONDS = 1.0
"""Time limit of circulation's answer; the caller has to get one in two seconds."""


class ClosingAnswer(BaseModel):
    """Circulation's answer: whether it has closed the patron's borrowing, or what is open."""

    closed: bool
    open_loans: int
    outstanding_cents: int
    refund_due_cents: int


@dataclass(frozen=True)
class BeginErasure:
    """A request to erase a patron, at `at` by the wall clock."""

    patron_id: str
    at: datetime


async def erase_settled(run: Run, patron_id: str) -> Patron:
    """Take the three steps; return the tombstone.

    Raises NoSuchPatron, NotSettled, or OwnerAway if circulation does not answer; the erasure then
    stays begun.
    """
    # Without the request's Idempotency-Key, which belongs to the last step.
    begun = await run.in_steps()(begin_erasure, BeginErasure(patron_id, wall_clock()))
    if begun is not None:
        await _close_borrowing(run, begun)
    failpoint("erasure.closed")
    if run.origin.act is None:  # the job continues; the request that began was recorded with that
        act = Act("accounts", ["service"], "erasure continued", [patron_id])
        run = run.because_of(replace(run.origin, act=act))
    return await run(erase_patron, patron_id)


async def _close_borrowing(run: Run, begun: Erasure) -> None:
    path = path_to("v1", "borrowers", begun.id, "closing")
    answer = await run.owners.command(LENDER, path, now=run.now, within=allowed(WITHIN_SECONDS))
    if answer is None:  # an earlier release, which does not know the route
        raise OwnerAway(LENDER)
    closing = ClosingAnswer.model_validate(answer)
    if not closing.closed:
        await run.in_steps()(drop_erasure, begun)
        raise NotSettled(
            open_loans=closing.open_loans,
            outstanding_cents=closing.outstanding_cents,
            refund_due_cents=closing.refund_due_cents,
        )


def begin_erasure(work: Work, command: BeginErasure) -> Erasure | None:
    """Note that the erasure was begun; return None if there is no such patron to erase."""
    if cardholders_store.patron(work, command.patron_id) is None:
        return None
    before = store.erasure(work, command.patron_id)
    begun = (
        Erasure(command.patron_id, command.at)
        if before is None
        else replace(before, begun_at=command.at, version=before.version + 1)
    )
    store.save_erasure(work, begun)
    return begun


def drop_erasure(work: Work, erasure: Erasure) -> None:
    """Delete the note of a refused erasure, unless another request has begun it again since."""
    store.delete_erasure(work, erasure)


def erase_patron(work: Work, patron_id: str) -> Patron:
    """Erase a patron whose borrowing is closed; return the tombstone. Raises NoSuchPatron."""
    patron = or_refuse(cardholders_store.patron(work, patron_id), NoSuchPatron)
    erased = erase(patron)
    cardholders_store.save_patrons(work, erased)
    end_links_of_erased(work, patron.id)
    erase_invitations(work, patron.id, patron.card_digest)
    cardholders_store.delete_cardholder(work, patron.id)
    preferences_store.delete_preferences(work, patron.id)
    store.delete_of_patron(work, patron.id)
    sign_in_store.delete_attempts(work, patron.card_digest)
    pins_store.delete_of_patron(work, patron.id, patron.card_digest)
    passkeys_store.delete_of_account(work, patron.id)
    openid_store.delete_of_patron(work, patron.id)
    delete_responses(work, patron.id)
    end_all(work, patron.id)
    record_patron_event(work, PatronErased, erased)
    return erased
