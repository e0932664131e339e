"""The wordings of notifications that staff have set, each with its versions."""

from collections.abc import Collection

from services.notices.messages.rules import MessageWording, Texts, wording_id
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document
from shared.repository import Repository

WORDINGS = "wordings"

INDEXES: Indexes = {WORDINGS: []}

_WORDINGS = Repository(MessageWording, WORDINGS)
get = _WORDINGS.get
"""Return a wording by its id, or None if the built-in one was never changed."""
save = _WORDINGS.put
find_one = _WORDINGS.find


async def find_all(db: Database) -> dict[str, MessageWording]:
    """Return all wordings by id: at most one for each kind and language."""
    found = [from_document(MessageWording, document) async for document in db[WORDINGS].find()]
    return {one.id: one for one in found}


async def find_texts(db: Database, kinds: Collection[str], language: str) -> dict[str, Texts]:
    """Return the texts in force of these kinds in a language, by kind; only those that are set."""
    ids = {wording_id(kind, language): kind for kind in kinds}
    latest = {"versions": {"$slice": -1}}
    found = db[WORDINGS].find({"_id": {"$in": sorted(ids)}}, latest)
    return {
        ids[document["_id"]]: from_document(MessageWording, document).texts
        async for document in found
    }
