"""Confirm a PIN: at login, and before a patron changes what protects their account."""

import asyncio
import time
from datetime import datetime

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.refusals import Locked
from services.accounts.usecases.check_pin import pin_matches
from shared.mongo import Database
from shared.unit_of_work import Busy

PATIENCE_SECONDS = 0.8
"""Time to wait for attempts that are being checked, in seconds. Checking a PIN takes about 0.03 s,
and a caller gets an answer in 1.5 s."""
LOOK_SECONDS = 0.05


async def confirm_pin(db: Database, card_digest: str, pin: str, at: datetime) -> Cardholder | None:
    """Return the card's holder, or None if there is no such card or the PIN is wrong.

    Raises Locked or Busy. This is not one transaction, because checking a PIN takes too long for
    one. Each step is one atomic read or write, in a safe order: the attempt counts before the PIN
    is checked, and an attempt that is never finished stays counted.
    """
    await _take_attempt(db, card_digest, at)
    holder = await store.holder_of_card(db, card_digest)
    matches = await pin_matches(pin, holder.pin_hash if holder else None)
    # Read again: the patron may have been erased, or the PIN changed, in the meantime.
    still = await store.holder_of_card(db, card_digest) if matches else None
    if holder is None or still is None or still.pin_hash != holder.pin_hash:
        await store.note_failure(db, card_digest)
        return None
    await store.clear_attempts(db, card_digest)
    return still


async def _take_attempt(db: Database, card_digest: str, at: datetime) -> None:
    """Count the attempt. Raises Locked, or Busy if the outcome is not known in time.

    Attempts that are still being checked may all have the right PIN, for example the repeated
    clicks of an impatient patron. A caller refused because of them waits for their outcome.
    """
    patience = time.monotonic() + PATIENCE_SECONDS
    while True:
        attempt = await store.take_attempt(db, card_digest, at)
        if attempt.taken:
            return
        if not attempt.under_way:
            raise Locked
        while await store.attempts_are_under_way(db, card_digest):
            if time.monotonic() > patience:
                raise Busy
            await asyncio.sleep(LOOK_SECONDS)
