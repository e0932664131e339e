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
"""For attempts that are under way: PINs take some 30 ms each, and a caller is answered in 1.5 s."""
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class LogIn:
    """An attempt with a card, known by its digest, at `at` by the wall clock."""

    card_digest: str = field(repr=False)
    pin: str = field(repr=False)
    at: datetime


async def log_in(db: Database, settings: Settings, command: LogIn) -> Session:
    """A session for the card's holder. Raises Locked, BadCredentials or Busy.

    Not one transaction, as other commands are: checking a PIN takes too long to be inside one.
    Each step is one atomic read or write, in an order that errs on the safe side: the attempt
    counts before the PIN is looked at, and one that gets stuck stays counted.
    """
    digest = command.card_digest
    await _take_attempt(db, digest, command.at)
    holder = await store.holder_of_card(db, digest)
    if not await pin_matches(command.pin, holder.pin_hash if holder else None):
        await store.note_failure(db, digest)
        raise BadCredentials
    key = await current_key(db)
    # Looked up again: the patron may have been erased, or the PIN changed, in the meantime.
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
    """Count the attempt. Raises Locked, or Busy where that is not known in good time.

    Attempts that are being looked at may all have the right PIN, as when those of an impatient
    patron piled up: whoever is refused on their account waits for what comes of them.
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
