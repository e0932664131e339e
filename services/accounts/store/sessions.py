"""Open sessions. An ended one is deleted; its tokens are refused because of its last event."""

from collections.abc import Sequence

from pymongo import ASCENDING, IndexModel

from services.accounts.domain.session import Session
from shared.mongo import Indexes, sharded_by
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "sessions": sharded_by(
        "_id",
        [
            IndexModel([("account_id", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ],
    ),
}


def of_account(work: Work, account_id: str) -> Sequence[Session]:
    """Return the open sessions of an account, the oldest first."""
    query = {"account_id": account_id}
    return work.all(Session, "sessions", query, sort=[("_id", ASCENDING)])


def get(work: Work, session_id: str) -> Session | None:
    """Return an open session, or None."""
    return work.find(Session, "sessions", {"_id": session_id})


def save(work: Work, session: Session) -> None:
    """Save a session after its renewal. Of two at once one is retried."""
    work.save("sessions", session)


def add(work: Work, session: Session) -> None:
    """Insert a new session."""
    work.add("sessions", session)


def delete(work: Work, sessions: Sequence[Session]) -> None:
    """Delete sessions that have ended."""
    work.delete("sessions", {"_id": {"$in": [session.id for session in sessions]}})
