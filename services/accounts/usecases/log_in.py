"""Log in with a card and its PIN."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime

from services.accounts import store
from services.accounts.domain.refusals import BadCredentials, Locked
from services.accounts.settings import Settings
from services.accounts.usecases.check_pin import pin_matches
from services.accounts.usecases.sign_token import Session, current_key, sign
from shared.mongo import Database
from shared.unit_of_work import Busy

PATIENCE_SECONDS = 0.8
"""Time to wait for attempts that are being checked, in seconds. Checking a PIN takes about 0.03 s,
and a caller gets an answer in 1.5 s."""
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class LogIn:
    """A login attempt with a card, given by its digest, at `at` by the wall clock."""

    card_digest: str = field(repr=False)
    pin: str = field(repr=False)
    at: datetime


async def log_in(db: Database, settings: Settings, command: LogIn) -> Session:
    """Return a session for the card's holder. Raises Locked, BadCredentials or Busy.

    Unlike other commands this is not one transaction, because checking a PIN takes too long for
    one. Each step is one atomic read or write, in a safe order: the attempt counts before the PIN
    is checked, and an attempt that is never finished stays counted.
    """
    digest = command.card_digest
    await _take_attempt(db, digest, command.at)
    holder = await store.holder_of_card(db, digest)
    if not await pin_matches(command.pin, holder.pin_hash if holder else None):
        await store.note_failure(db, digest)
        raise BadCredentials
    key = await current_key(db)
    # Read again: the patron may have been erased, or the PIN changed, in the meantime.
    still = await store.holder_of_card(db, digest)
    if holder is None or still is None or still.pin_hash != holder.pin_hash:
        await store.note_failure(db, digest)
        raise BadCredentials
    await store.clear_attempts(db, digest)
    return sign(
        key,
        sub=still.id,
        role=still.role,
        name=still.name,
        issued_at=command.at,
        hours=settings.token_hours(still.role),
    )


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
