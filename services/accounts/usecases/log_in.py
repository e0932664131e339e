"""Log in with a card and its PIN."""

from dataclasses import dataclass, field
from datetime import datetime

from services.accounts.domain.refusals import BadCredentials
from services.accounts.settings import Settings
from services.accounts.usecases.confirm_pin import confirm_pin
from services.accounts.usecases.sign_token import Session, current_key, sign
from shared.mongo import Database


@dataclass(frozen=True)
class LogIn:
    """A login attempt with a card, given by its digest, at `at` by the wall clock."""

    card_digest: str = field(repr=False)
    pin: str = field(repr=False)
    at: datetime


async def log_in(db: Database, settings: Settings, command: LogIn) -> Session:
    """Return a session for the card's holder. Raises Locked, BadCredentials or Busy."""
    holder = await confirm_pin(db, command.card_digest, command.pin, command.at)
    if holder is None:
        raise BadCredentials
    return sign(
        await current_key(db),
        sub=holder.id,
        role=holder.role,
        name=holder.name,
        issued_at=command.at,
        hours=settings.token_hours(holder.role),
    )
