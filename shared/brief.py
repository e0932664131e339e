"""Brief use cases that wait at the same moment share a transaction (docs/decisions/222).

Each decides as in a concurrent transaction of its own: it sees nothing of the others, and two that
write the same document do not share.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import Any, TypeVar

from pymongo.errors import PyMongoError

from shared.mongo import BlockingDatabase, BlockingSession, Document
from shared.step import Ended, Outcome, Step, UseCase, note_commit, run_step, store_ends
from shared.transactions import transaction
from shared.work import Stale, Work

F = TypeVar("F", bound=UseCase[Any, Any])

MOST = 16
"""Most use cases of one transaction: others wait until it has ended."""
MOST_TURNS = 2
"""Most transactions from which a use case is left out before it is run alone."""


class LeftOut(Enum):
    """The reason why a use case was left out of a transaction; it has changed nothing."""

    APART = auto()
    """It can't share one, or all were undone: it is to be run alone."""
    BEHIND = auto()
    """One before it writes the same document: the next transaction may take it."""


_brief: set[UseCase[Any, Any]] = set()


def brief(use_case: F) -> F:
    """Declare that a use case takes a few milliseconds and usually reads before it writes.

    Those that wait at the same moment share a transaction.
    """
    _brief.add(use_case)
    return use_case


def is_brief(use_case: UseCase[Any, Any]) -> bool:
    """Return whether a use case was declared with `brief`."""
    return use_case in _brief


class _Apart(Exception):
    """A use case can't share a transaction with others."""


class _SharedWork(Work):
    """The work of one of several use cases that share a transaction.

    Its writes are kept until all have run, so that none reads what another has written. It raises
    _Apart for a read of a collection that it has written, and for a write that does not say which
    documents it changes.
    """

    kept: list[tuple[str, str, Sequence[Document]]]
    """Commands in order: `insert` or `update`, the collection, and its documents or updates."""

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.kept = []

    @property
    def written(self) -> set[tuple[str, str]]:
        """The collections and ids of the documents that this use case writes."""
        return {
            (collection, (one["q"] if command == "update" else one)["_id"])
            for command, collection, writes in self.kept
            for one in writes
        }

    def _before_read(self, *collections: str) -> None:
        if any(collection in collections for _, collection, _ in self.kept):
            raise _Apart

    def _before_write_by_query(self) -> None:
        raise _Apart

    def _insert(self, collection: str, documents: Sequence[Document]) -> None:
        self.kept.append(("insert", collection, documents))

    def _update(self, collection: str, updates: Sequence[Document]) -> int:
        self.kept.append(("update", collection, updates))
        return len(updates)  # else the transaction ends as stale


def commit_together(
    database: BlockingDatabase,
    service: str,
    steps: Sequence[Step],
    deadline: float,
    waited_for: Callable[[], bool],
) -> Mapping[Step, Outcome | Exception | LeftOut]:
    """Run brief use cases in one transaction; return the outcome or the error of each.

    Those without one can't share, and are to be run alone. The same is true for all if this raises.
    """
    outcomes: dict[Step, Outcome | Exception | LeftOut] = {}
    taken: dict[Step, Ended] = {}
    is_sent = False
    try:
        with transaction(database, deadline, waited_for) as session:
            ran = []
            for step in steps:
                work = _SharedWork(database, session, step.origin)
                try:
                    ran.append((step, work, run_step(step, work, service)))
                except _Apart:
                    continue
                except (PyMongoError, Stale):
                    raise
                except Exception as refusal:  # noqa: BLE001 - its caller raises it
                    outcomes[step] = refusal
            written: set[tuple[str, str]] = set()
            writes: dict[tuple[str, str], list[Document]] = {}
            for step, work, ended in ran:
                own = work.written
                if step.is_waited_for and written.isdisjoint(own):
                    taken[step] = ended
                    written |= own
                    for command, collection, more in work.kept:
                        writes.setdefault((command, collection), []).extend(more)
                else:
                    outcomes[step] = LeftOut.BEHIND
            _send(database, writes, session)
            store_ends(database, list(taken.values()), session)
            is_sent = True
    except PyMongoError as error:
        if not is_sent or error.has_error_label("TransientTransactionError"):
            raise
        # It may have committed, so none of them may be run again.
        return dict.fromkeys(taken, error)
    note_commit(taken.values())
    return outcomes | {step: ended.outcome for step, ended in taken.items()}


def _send(
    database: BlockingDatabase,
    writes: Mapping[tuple[str, str], Sequence[Document]],
    session: BlockingSession,
) -> None:
    for (command, collection), documents in writes.items():
        if command == "insert":
            database.insert(collection, documents, session)
        elif database.update(collection, documents, session) < len(documents):
            raise Stale(f"one of {len(documents)} {collection} is no longer at its version")
