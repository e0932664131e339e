"""Log in with a card and its PIN."""

from dataclasses import dataclass, field
from datetime import datetime

from services.accounts import store
from services.accounts.domain.refusals import BadCredentials, Locked
from services.accounts.settings import Settings
from services.accounts.usecases.check_pin import pin_matches
from services.accounts.usecases.sign_token import Session, current_key, sign
from shared.mongo import Database


@dataclass(frozen=True)
class LogIn:
    """An attempt with a card, known by its digest, at `at` by the wall clock."""

    card_digest: str = field(repr=False)
    pin: str = field(repr=False)
    at: datetime


async def log_in(db: Database, settings: Settings, command: LogIn) -> Session:
    """A session for the card's holder. Raises Locked or BadCredentials.

    Not one transaction, as other commands are: checking a PIN takes too long to be inside one.
    Each step is one atomic read or write, in an order that errs on the safe side: the attempt
    counts before the PIN is looked at, and one that gets stuck stays counted.
    """
    digest = command.card_digest
    if not await store.take_attempt(db, digest, command.at):
        raise Locked
    holder = await store.holder_of_card(db, digest)
    if not await pin_matches(command.pin, holder.pin_hash if holder else None):
        raise BadCredentials
    key = await current_key(db)
    # Looked up again: the patron may have been erased, or the PIN changed, in the meantime.
    still = await store.holder_of_card(db, digest)
    if holder is None or still is None or still.pin_hash != holder.pin_hash:
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
