"""End sessions: at log-out, and when an account's PIN or state changes."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.accounts import store
from services.accounts.domain.session import Session
from shared.contracts.accounts import SessionEnded
from shared.unit_of_work import Work


@dataclass(frozen=True)
class EndSession:
    """One session of an account, such as that of the caller; an unknown one has ended already."""

    account_id: str
    session_id: str


@dataclass(frozen=True)
class EndSessions:
    """All sessions of an account."""

    account_id: str


def end_session(work: Work, command: EndSession) -> None:
    """End one session of the account."""
    opened = store.sessions.of_account(work, command.account_id)
    end(work, [session for session in opened if session.id == command.session_id])


def end_sessions(work: Work, command: EndSessions) -> None:
    """End all sessions of the account."""
    end_all(work, command.account_id)


def end_all(work: Work, account_id: str, *, but: str = "") -> None:
    """End all sessions of an account, except one.

    A use case that also saves or deletes the cardholder ends every session that was opened with the
    former PIN: opening one saves the cardholder too, so of two at once one is retried.
    """
    opened = store.sessions.of_account(work, account_id)
    end(work, [session for session in opened if session.id != but])


def end(work: Work, sessions: Sequence[Session]) -> None:
    """Delete the sessions, and publish that their tokens must be refused."""
    if not sessions:
        return
    store.sessions.delete(work, sessions)
    for session in sessions:
        work.record(end_of(session))


def end_of(session: Session) -> SessionEnded:
    """Return the event of a session's end."""
    return SessionEnded(
        session_id=session.id,
        account_id=session.account_id,
        expires_at=session.expires_at,
        version=session.version + 1,
    )
