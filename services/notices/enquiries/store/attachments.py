"""Attachments, and their contents in GridFS.

The contents are written outside any transaction. The name of a content begins with the id of its
attachment, which is stored before: so a content without an attachment is left from an upload that
was broken off, and no message can name it any more.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import pymongo
from gridfs.errors import GridFSError
from pymongo import ASCENDING, IndexModel

from services.notices.enquiries.rules.enquiries import Attachment
from shared.declared_indexes import Indexes, sharded_by
from shared.ids import new_id
from shared.mongo import Database, file_bucket
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

ATTACHMENTS = "attachments"
CONTENTS = "attachment_contents"
FILES = f"{CONTENTS}.files"
CHUNKS = f"{CONTENTS}.chunks"
AT_ONCE = 100
"""Number of attachments that one statement deletes."""
CONTENT_SECONDS = 10.0
"""Time limit for writing or reading a content."""

INDEXES: Indexes = {
    ATTACHMENTS: sharded_by(
        "_id",
        [
            IndexModel([("owner_id", ASCENDING), ("enquiry_id", ASCENDING)]),
            IndexModel([("patron_id", ASCENDING)]),
            IndexModel([("enquiry_id", ASCENDING), ("uploaded_at", ASCENDING)]),
        ],
    ),
    # As the driver creates them for GridFS, so that no upload has to.
    FILES: sharded_by("_id", [IndexModel([("filename", ASCENDING), ("uploadDate", ASCENDING)])]),
    CHUNKS: sharded_by(
        "files_id", [IndexModel([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)]
    ),
}
PERSONAL = (Personal(ATTACHMENTS, leave_out=("owner_id", "content_id")),)

_ATTACHMENTS = Repository(Attachment, ATTACHMENTS)
get = _ATTACHMENTS.get
save = _ATTACHMENTS.put
find_one = _ATTACHMENTS.find


def count_unused(work: Work, owner_id: str) -> int:
    """Return the number of attachments that someone uploaded and has not sent."""
    return work.count(ATTACHMENTS, {"owner_id": owner_id, "enquiry_id": None})


def delete(work: Work, attachment_ids: Sequence[str]) -> None:
    """Delete attachments with everything stored of their contents."""
    for start in range(0, len(attachment_ids), AT_ONCE):
        some = attachment_ids[start : start + AT_ONCE]
        contents = [_contents_of(one) for one in some]
        work.delete(CHUNKS, {"$or": [{"files_id": names} for names in contents]})
        work.delete(FILES, {"$or": [{"_id": names} for names in contents]})
        work.delete(ATTACHMENTS, {"_id": {"$in": some}})


def delete_of_patron(work: Work, patron_id: str) -> None:
    """Delete all attachments that a patron uploaded, or was sent in an enquiry."""
    theirs = {"$or": [{"owner_id": patron_id}, {"patron_id": patron_id}]}
    found = work.all(Attachment, ATTACHMENTS, theirs)
    delete(work, [attachment.id for attachment in found])


def delete_of_enquiry(work: Work, enquiry_id: str) -> None:
    """Delete all attachments that were sent in an enquiry."""
    found = work.all(Attachment, ATTACHMENTS, {"enquiry_id": enquiry_id})
    delete(work, [attachment.id for attachment in found])


async def write_content(db: Database, attachment: Attachment, content: bytes) -> str:
    """Store a content, and return the name under which it is stored."""
    name = f"{attachment.id}.{new_id()}"
    with pymongo.timeout(CONTENT_SECONDS):
        await file_bucket(db, CONTENTS).upload_from_stream_with_id(name, "", content)
    return name


async def delete_content(db: Database, name: str) -> None:
    """Delete a content that no attachment names."""
    await db[CHUNKS].delete_many({"files_id": name})
    await db[FILES].delete_one({"_id": name})


async def find_content(db: Database, attachment: Attachment) -> bytes | None:
    """Return the content of an attachment; None if both have been deleted since it was read."""
    try:
        with pymongo.timeout(CONTENT_SECONDS):
            stream = await file_bucket(db, CONTENTS).open_download_stream(attachment.content_id)
            return bytes(await stream.read())
    except GridFSError:
        if await find_one(db, attachment.id) is not None:
            raise
        return None


async def find_unused(db: Database, uploaded_before: datetime) -> AsyncIterator[str]:
    """Yield the ids of attachments that were uploaded before a time and not sent."""
    query = {"enquiry_id": None, "uploaded_at": {"$lt": uploaded_before}}
    async for found in db[ATTACHMENTS].find(query, {"_id": 1}):
        yield found["_id"]


async def find_left_contents(db: Database) -> AsyncIterator[str]:
    """Yield the names of contents whose attachment is gone or has another content."""
    left: list[dict[str, Any]] = [
        {"$sort": {"files_id": ASCENDING}},
        {"$group": {"_id": "$files_id"}},
        {"$project": {"attachment": {"$first": {"$split": ["$_id", "."]}}}},
        {
            "$lookup": {
                "from": ATTACHMENTS,
                "localField": "attachment",
                "foreignField": "_id",
                "as": "found",
            }
        },
        {"$project": {"owner": {"$first": "$found"}}},
        {
            "$match": {
                "$or": [
                    {"owner": {"$exists": False}},
                    # An upload whose attachment has no content yet may still be going on.
                    {
                        "owner.content_id": {"$ne": None},
                        "$expr": {"$ne": ["$_id", "$owner.content_id"]},
                    },
                ]
            }
        },
    ]
    async for found in db[CHUNKS].aggregate(left):
        yield found["_id"]


def _contents_of(attachment_id: str) -> dict[str, str]:
    """Return the range of the names of an attachment's contents: a slash follows a dot."""
    return {"$gte": f"{attachment_id}.", "$lt": f"{attachment_id}/"}
