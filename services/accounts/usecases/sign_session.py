"""Sign the access token of a session, and add the token that renews it."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.session import Session, renewal_token
from services.accounts.settings import Settings
from services.accounts.usecases.sign_token import SignedToken, current_key, sign
from shared.mongo import Database


async def signed(
    db: Database, settings: Settings, session: Session, holder: Cardholder, at: datetime
) -> SignedToken:
    """Return the tokens of a session, at `at` by the wall clock.

    Renewal tokens are derived from CARREL_RENEWAL_KEYS. Without them the access token lasts as long
    as the session, and nothing renews it.
    """
    left = session.expires_at - at
    keys = settings.renewal_keys
    token = sign(
        await current_key(db, settings.signing_secrets),
        settings.signing_secrets,
        sub=holder.id,
        role=holder.role,
        name=holder.name,
        issued_at=at,
        lifetime=min(left, timedelta(seconds=settings.access_token_seconds)) if keys else left,
        session_id=session.id,
    )
    if not keys:
        return token
    return replace(
        token,
        renewal_token=renewal_token(session, keys),
        renewal_expires_in=int(left.total_seconds()),
    )
