"""Sessions that ended before they expired. They are no part of the views: a rebuild keeps them."""

from collections.abc import AsyncGenerator, Sequence

from pymongo import UpdateOne

from services.gateway.views.store.changes import SessionEnd
from services.gateway.views.store.schema import ENDED_SESSIONS
from shared.mongo import Database, Document


def session_end_write(change: SessionEnd) -> UpdateOne:
    """Return the write of an ended session. Safe to repeat."""
    said = {"account_id": change.account_id, "expires_at": change.expires_at}
    return UpdateOne({"_id": change.session_id}, {"$setOnInsert": said}, upsert=True)


async def ended_sessions(database: Database) -> AsyncGenerator[Sequence[SessionEnd], None]:
    """Yield all ended sessions that are stored, then each that is added, from now on.

    Ends when their collection is dropped.
    """
    pipeline: list[Document] = [{"$match": {"operationType": {"$in": ["insert", "invalidate"]}}}]
    collection = database[ENDED_SESSIONS]
    async with collection.watch(pipeline, max_await_time_ms=2000) as changes:
        yield [_read(row) async for row in collection.find({})]
        async for change in changes:
            if "fullDocument" in change:
                yield [_read(change["fullDocument"])]


def _read(row: Document) -> SessionEnd:
    return SessionEnd(row["_id"], row["account_id"], row["expires_at"])
