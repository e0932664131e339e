"""Sessions: what a log-in opens, until it expires or is ended, and how it is renewed.

A session has a sequence of renewal tokens, of which only the newest can be used. Each is derived
from the session's id and its place in the sequence, so the database has no secret, and a client
whose answer was lost can be given the same token again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared import keys as keyed

MOST_SESSIONS = 50
"""Maximum number of open sessions of one account: one more ends the oldest."""
GRACE = timedelta(seconds=60)
"""Time for which the former renewal token is answered with the newest: for lost answers, and for
requests that a client sends at the same time."""


@dataclass(frozen=True, slots=True)
class Session:
    """An open session. Ending it deletes it; a token names it by its id."""

    id: str
    account_id: str
    """Id of the cardholder: a patron, staff, a station, a contact tracer or an operator."""
    opened_at: datetime
    expires_at: datetime
    """Instant when it can't be renewed any more. Like the other times by the wall clock."""
    renewed_at: datetime
    place: int = 1
    """Place of the newest renewal token in the sequence."""
    version: int = 1


class Reused(Exception):
    """A renewal token was used twice: somebody else may have copied it."""


def surplus(opened: Sequence[Session]) -> Sequence[Session]:
    """Return the sessions to end before another is opened; `opened` has the oldest first."""
    return opened[: max(0, len(opened) + 1 - MOST_SESSIONS)]


def renewed(session: Session, place: int, at: datetime) -> Session:
    """Return the session after a renewal with the token at `place`. Raises Reused.

    The session is unchanged if the token is the former one and its successor was given just now.
    """
    if place == session.place:
        return replace(session, place=place + 1, renewed_at=at, version=session.version + 1)
    if place == session.place - 1 and at <= session.renewed_at + GRACE:
        return session
    raise Reused


def renewal_token(session: Session, keys: str) -> str:
    """Return the newest renewal token of a session: its id, the place, and their digest."""
    place = f"{session.id}.{session.place}"
    return f"{place}.{keyed.digest(keys, _said(place)).hex()}"


def place_of(token: str, keys: str) -> tuple[str, int] | None:
    """Return the session's id and the place of a renewal token of ours; None if it is not ours."""
    said, _, digest = token.rpartition(".")
    session_id, _, place = said.rpartition(".")
    if not (token.isascii() and session_id and place.isdigit() and len(place) < 10):
        return None
    ours = keyed.is_digest(keys, _said(said), digest)
    return (session_id, int(place)) if ours else None


def _said(place: str) -> str:
    return f"renewal\n{place}"
