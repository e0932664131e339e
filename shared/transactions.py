"""Transactions on MongoDB: their commit, and what a failed write means."""

import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar, cast

from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from shared.failpoint import failpoint
from shared.mongo import MAJORITY, SNAPSHOT, BlockingDatabase, BlockingSession

V = TypeVar("V")

DUPLICATE_KEY = 11000
"""MongoDB's error code for an id or a unique value that is taken."""


class GivenUp(Exception):
    """Nobody waits for this transaction any more, so it does not commit."""


def is_duplicate(error: PyMongoError) -> bool:
    """Return whether an id or a unique value was taken; a bulk write reports the first error."""
    if isinstance(error, BulkWriteError):
        faults = (error.details or {}).get("writeErrors", [])
        return any(fault.get("code") == DUPLICATE_KEY for fault in faults)
    return isinstance(error, DuplicateKeyError)


def is_conflict(error: PyMongoError) -> bool:
    """Return whether a transaction failed on another writer, not on a database that is away."""
    return getattr(error, "code", None) == 112  # WriteConflict


def commit(session: BlockingSession, deadline: float) -> None:
    """Commit, and repeat while the outcome is unknown: a commit may be repeated safely."""
    while True:
        try:
            session.commit_transaction()
            return
        except PyMongoError as error:
            unknown = error.has_error_label("UnknownTransactionCommitResult")
            if not unknown or time.monotonic() > deadline:
                raise
        time.sleep(0.02)  # in the thread of this transaction alone


@contextlib.contextmanager
def transaction(
    database: BlockingDatabase, deadline: float, waited_for: Callable[[], bool]
) -> Iterator[BlockingSession]:
    """Yield the session of a transaction; commit it unless the block raises.

    Raises GivenUp instead of committing if nobody waits for it any more. A majority of
    the nodes is sure to have what the block has read only after the commit.
    """
    with database.start_session() as session:
        session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY)
        try:
            yield session
            if not waited_for():
                raise GivenUp
        except BaseException:
            with contextlib.suppress(PyMongoError):
                session.abort_transaction()
            raise
        failpoint("work.before-commit")
        commit(session, deadline)
        failpoint("work.after-commit")


def finished(use_case: Coroutine[Any, Any, V]) -> V:
    """Run a coroutine to its end in this thread; return its result.

    Raises RuntimeError if it waits for the event loop, which does not run in this thread.
    """
    try:
        use_case.send(None)
    except StopIteration as end:
        return cast(V, end.value)
    use_case.close()
    raise RuntimeError("a use case awaits only the calls of its transaction")
