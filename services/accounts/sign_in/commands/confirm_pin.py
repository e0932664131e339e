"""Confirm a PIN: at login, and before somebody changes what protects their account."""

import asyncio
import time
from collections.abc import Callable

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Cardholder, SecondFactor
from services.accounts.sign_in import store
from services.accounts.sign_in.commands.budgets import (
    LOOK_SECONDS,
    PATIENCE_SECONDS,
    Spending,
    record_failure,
    spend_budgets,
)
from services.accounts.sign_in.commands.hashes import pin_matches
from services.accounts.sign_in.refusals import Locked, StrangersWait, WrongCode, WrongPin
from services.accounts.sign_in.rules import OWN_SESSION, Source, StrangersLimits
from shared.deadlines import allowed
from shared.mongo import Database
from shared.unit_of_work import Busy, Run

NO_LIMITS = StrangersLimits(network=0, everyone=0)


async def confirm_pin(
    db: Database,
    card_digest: str,
    pin: str,
    *,
    source: Source,
    limits: StrangersLimits = NO_LIMITS,
    matches_code: Callable[[SecondFactor], bool] | None = None,
) -> Cardholder | None:
    """Return the card's holder, or None if there is no such card or the PIN is wrong.

    `matches_code` checks the code of a second factor that was typed beside the PIN; None: there was
    none. Raises StrangersWait, Locked, WrongCode or Busy.

    This is not one transaction, because checking a PIN takes too long for one. Each step is one
    atomic read or write, in a safe order: the attempt counts before PIN and code are checked, and
    an attempt that is never finished stays counted. So it is finished, and uncounted if the PIN is
    right, even if the deadline of the request ends it.
    """
    checking = asyncio.create_task(
        _confirm(db, card_digest, pin, source, limits=limits, matches_code=matches_code)
    )
    checking.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(checking)


async def _confirm(
    db: Database,
    card_digest: str,
    pin: str,
    source: Source,
    *,
    limits: StrangersLimits,
    matches_code: Callable[[SecondFactor], bool] | None,
) -> Cardholder | None:
    lock = source.lock_of(card_digest)
    spending = await spend_budgets(db, card_digest, source, limits)
    try:
        await _take_attempt(db, lock, card_digest)
    except (Locked, Busy):
        await spending.give_back(db)
        raise
    holder = await cardholders_store.holder_of_card(db, card_digest)
    matches = await pin_matches(pin, holder.pin_hash if holder else None)
    # Read again: the patron may have been erased, or the PIN changed, in the meantime.
    still = await cardholders_store.holder_of_card(db, card_digest) if matches else None
    if holder is None or still is None or still.pin_version != holder.pin_version:
        await _keep_counted(db, lock, spending)
        return None
    factor = still.second_factor if still.needs_code and source != OWN_SESSION else None
    if factor is not None and not await _confirm_code(db, lock, spending, factor, matches_code):
        return still
    await _forget(db, lock, spending)
    return still


async def _confirm_code(
    db: Database,
    lock: str,
    spending: Spending,
    factor: SecondFactor,
    matches_code: Callable[[SecondFactor], bool] | None,
) -> bool:
    """Return True after a right code, and False if there was none. Raises StrangersWait, WrongCode.

    A right PIN alone forgets no attempts before it: somebody who knows it could go on guessing
    codes. A wrong code counts as a wrong PIN does, and among those of the card.
    """
    if matches_code is None:
        await asyncio.gather(spending.give_back(db), store.note_failure(db, lock))
        return False
    if not await spending.spend_of_codes(db):
        await asyncio.gather(spending.give_back(db), store.note_failure(db, lock))
        raise StrangersWait
    if not matches_code(factor):
        await _keep_counted(db, lock, spending)
        raise WrongCode
    return True


async def _keep_counted(db: Database, lock: str, spending: Spending) -> None:
    await asyncio.gather(spending.keep(db), store.note_failure(db, lock))


async def _forget(db: Database, lock: str, spending: Spending) -> None:
    """Uncount an attempt whose PIN was right, and forget the wrong ones of its source before it."""
    await asyncio.gather(
        store.clear_attempts(db, lock),
        spending.give_back(db),
        spending.forgive_card(db),
    )


async def _take_attempt(db: Database, lock: str, card_digest: str) -> None:
    """Count the attempt. Raises Locked, or Busy if the outcome is not known in time.

    Attempts that are still being checked may all have the right PIN, for example the repeated
    clicks of an impatient patron. A caller refused because of them waits for their outcome.
    """
    patience = time.monotonic() + allowed(PATIENCE_SECONDS)
    while True:
        attempt = await store.take_attempt(db, lock, card_digest)
        if attempt.taken:
            return
        if not attempt.under_way:
            raise Locked
        while await store.are_under_way(db, lock):
            if time.monotonic() > patience:
                raise Busy
            await asyncio.sleep(LOOK_SECONDS)


async def confirm_own_pin(run: Run, holder: Cardholder, pin: str) -> Cardholder:
    """Return the holder, whose PIN was right. Raises WrongPin or Locked, which is recorded."""
    try:
        confirmed = await confirm_pin(run.database, holder.card_digest, pin, source=OWN_SESSION)
        if confirmed is None:
            raise WrongPin
    except (WrongPin, Locked) as refusal:
        if (act := run.origin.act) is not None:
            await record_failure(run, holder.card_digest, act.address, refusal, act.act)
        raise
    return confirmed
