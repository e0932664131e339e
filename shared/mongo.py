"""MongoDB: the client and the conversion of values to documents. Only this module names Motor."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, cast

import bson
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorCursor,
    AsyncIOMotorDatabase,
    AsyncIOMotorGridFSBucket,
)
from pydantic import BaseModel, TypeAdapter
from pymongo.client_session import ClientSession as _Session
from pymongo.collection import Collection as _Collection
from pymongo.database import Database as _Database
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    ExecutionTimeout,
    PyMongoError,
    WriteConcernError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from shared.clock import wall_clock

Document = dict[str, Any]
Client = AsyncIOMotorClient[Document]
Database = AsyncIOMotorDatabase[Document]
Collection = AsyncIOMotorCollection[Document]
Cursor = AsyncIOMotorCursor[Document]
ClientSession = AsyncIOMotorClientSession
FileBucket = AsyncIOMotorGridFSBucket

SILENCE_MS = 15_000
"""Milliseconds that a call waits for data from the database, unless `pymongo.timeout` sets less.

A connection that a firewall dropped stays silent for ever; a change stream answers every two
seconds.
"""
_OUT_OF_DISK = 14031
V = TypeVar("V")


EARLIEST = datetime(2, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 12, 31, tzinfo=UTC)


class _WithinCalendar(TypeDecoder):
    """Moves a stored instant at an end of the calendar one year inwards.

    Such instants were stored before incoming dates had bounds; in another time zone they have no
    date.
    """

    bson_type = datetime

    def transform_bson(self, value: datetime) -> datetime:
        """Return the instant, or the nearest one that has a date in every time zone."""
        return min(max(value, EARLIEST), LATEST)


def connect(url: str, *, timeout_ms: int = 800) -> Client:
    """Return a client whose writes are acknowledged by a majority; it connects at first use.

    `timeout_ms` limits the search for a server. It is short because a caller gets a 503 within
    two seconds; consumers wait by trying again.
    """
    return AsyncIOMotorClient(
        url,
        w="majority",
        journal=True,
        readConcernLevel="majority",
        retryWrites=True,
        tz_aware=True,
        tzinfo=UTC,
        type_registry=TypeRegistry([_WithinCalendar()]),
        serverSelectionTimeoutMS=timeout_ms,
        connectTimeoutMS=timeout_ms,
        socketTimeoutMS=SILENCE_MS,
        maxPoolSize=64,
        appname="carrel",
    )


BlockingSession = _Session
BlockingCollection = _Collection[Document]


class BlockingDatabase:
    """The collections of a database by name; each call blocks its thread until it is answered.

    It shares the connections of the client that the event loop uses. Its own methods send a
    command as it is: the same calls of a collection cost the client up to half as much again.
    """

    def __init__(self, database: Database) -> None:
        self._database = cast(_Database[Document], database.delegate)
        self._collections: dict[str, BlockingCollection] = {}
        self._options = self._database.codec_options
        self._undecoded = CodecOptions[RawBSONDocument](RawBSONDocument)

    def __getitem__(self, name: str) -> BlockingCollection:
        """Return a collection, the same one for a name: making it costs as much as a call."""
        if name not in self._collections:
            self._collections[name] = self._database[name]
        return self._collections[name]

    def start_session(self) -> BlockingSession:
        """Return a new session, to be ended by its context manager."""
        return self._database.client.start_session()

    def first(
        self, collection: str, pipeline: Sequence[Document], session: BlockingSession
    ) -> Document | None:
        """Return the first document of an aggregate that returns few, or None."""
        command = {"aggregate": collection, "pipeline": pipeline, "cursor": {}}
        # Decoded here, because the driver decodes the answer of a command without our TypeDecoder.
        answer = self._database.command(command, codec_options=self._undecoded, session=session)
        found: list[RawBSONDocument] = answer["cursor"]["firstBatch"]
        return bson.decode(found[0].raw, self._options) if found else None

    def insert(
        self, collection: str, documents: Sequence[Document], session: BlockingSession
    ) -> None:
        """Insert documents with their ids, 48 MB at most. Raises BulkWriteError."""
        self._write({"insert": collection, "documents": documents}, session)

    def update(self, collection: str, updates: Sequence[Document], session: BlockingSession) -> int:
        """Make updates `{"q": query, "u": change}` in order, 48 MB at most.

        Returns how many documents matched or were inserted (`"upsert": True`). Raises
        BulkWriteError.
        """
        return self._write({"update": collection, "updates": updates}, session)

    def _write(self, command: Document, session: BlockingSession) -> int:
        answer = self._database.command(command, session=session)
        if "writeErrors" in answer:
            raise BulkWriteError(answer)
        return int(answer["n"])


MAJORITY = WriteConcern(w="majority", j=True)
SNAPSHOT = ReadConcern("snapshot")


def file_bucket(database: Database, name: str) -> FileBucket:
    """Return a GridFS bucket of large files, in the collections `<name>.files` and `.chunks`.

    Its writes are part of no transaction.
    """
    return AsyncIOMotorGridFSBucket(database, bucket_name=name)


async def clock_skew(client: Client) -> float:
    """Return the seconds that this clock is surely ahead of the database's; behind, if negative.

    The database read its clock at some moment of the call: 0 if the two can be equal.
    """
    before = wall_clock().timestamp()
    hello = await client.admin.command("hello")
    after = wall_clock().timestamp()
    read = float(hello["localTime"].timestamp())
    return min(max(read, before), after) - read


def is_away(error: BaseException) -> bool:
    """Return whether the database, not the request, is at fault, so that trying again may help."""
    if isinstance(error, ConnectionFailure | ExecutionTimeout):
        return True
    if not isinstance(error, PyMongoError):
        return False
    if isinstance(error, WriteConcernError):
        return True
    if isinstance(error, BulkWriteError):
        # A primary stepped down during the write, which may not have reached a majority.
        details = error.details or {}
        return bool(details.get("writeConcernErrors")) and not details.get("writeErrors")
    return (
        error.has_error_label("TransientTransactionError")
        or error.has_error_label("RetryableWriteError")
        or getattr(error, "code", None) == _OUT_OF_DISK
    )


_adapter = cache(TypeAdapter)
_stored_names: dict[type, dict[str, str]] = {}


def store_fields_as(kind: type, **names: str) -> None:
    """Name fields of `kind` otherwise in its documents: `store_fields_as(Loan, name="stored")`.

    A field can then get a better name in the code while stored documents stay as they are.
    """
    _stored_names[kind] = names


_left_out: dict[type, frozenset[str]] = {}


def leave_out_defaults(kind: type, names: Iterable[str]) -> None:
    """Leave these fields of a dataclass out of documents while they have their default values.

    For fields that few values set, so that they cost nothing where nobody does. Their defaults
    must never change. Call it before the first value of `kind` is stored.
    """
    _left_out[kind] = frozenset(names)


def strings(*values: str) -> Document:
    """Build the condition that a field has one of some values, for an index of strings alone.

    MongoDB takes an index with the filter `{"$type": "string"}` only for a query that names the
    type too; without it `{"$in": …}`, and a value alone, read the whole collection.
    """
    return {"$in": sorted(values), "$type": "string"}


def from_document(kind: type[V], document: Mapping[str, Any]) -> V:
    """Return the value of `kind` in a document; its `_id` becomes the field `id`."""
    fields = dict(document)
    if "_id" in fields:
        fields["id"] = fields.pop("_id")
    for name, stored in _stored_names.get(kind, {}).items():
        if stored in fields:
            fields[name] = fields.pop(stored)
    return cast(V, _adapter(cast(Any, kind)).validate_python(fields))


CHUNK = 1000
"""Documents that are read for one answer, whether they match or not."""


@dataclass(frozen=True)
class SnapshotQuery:
    """A selection of a collection's documents: a chunk, one patron's, or a random sample."""

    after: str = ""
    """Select the chunk after this id."""
    patron: str = ""
    """Select all documents of this patron instead."""
    sample: int = 0
    """Select this number of documents at random instead."""


async def read_snapshot_page(
    collection: Collection,
    kind: type[V],
    query: SnapshotQuery,
    where: Mapping[str, Any] | None = None,
    *,
    patron: str = "patron_id",
) -> tuple[list[V], str | None]:
    """Return the matching documents of a page, and the id to continue after; None: no more.

    A chunk counts the documents that are read, not those that match, so that an answer comes in
    good time even if few match. `patron` is the field with the owner of a document; it needs an
    index.
    """
    where = where or {}
    if query.patron:
        mine = collection.find({**where, patron: query.patron})
        return [from_document(kind, document) async for document in mine], None
    if query.sample:
        # MongoDB uses a random cursor; it reads a collection of less than 20 times the sample
        # whole.
        some = collection.aggregate([{"$sample": {"size": query.sample}}, {"$match": where}])
        return [from_document(kind, document) async for document in some], None
    after = {"$gt": query.after}
    ids = collection.find({"_id": after}, {"_id": 1}).sort("_id").skip(CHUNK - 1).limit(1)
    last: list[Document] = await ids.to_list(1)
    span = {**after, **({"$lte": last[0]["_id"]} if last else {})}
    found = collection.find({**where, "_id": span}).sort("_id").limit(CHUNK)
    return [from_document(kind, document) async for document in found], (
        last[0]["_id"] if last else None
    )


def to_document(value: Any) -> Document:
    """Return a dataclass or model as a document: `id` becomes `_id`, a date its ISO text."""
    document = plain(value)
    if not isinstance(document, dict):
        raise TypeError(f"{type(value).__name__} is not a document")
    if "id" in document:
        document = {"_id": document.pop("id"), **document}
    for name, stored in _stored_names.get(type(value), {}).items():
        document[stored] = document.pop(name)
    return document


def plain(value: Any) -> Any:
    """Return a value in BSON's types. Dates become ISO text, which sorts as dates do."""
    kind: Any = type(value)
    return value if kind in _PLAIN else _converter(kind)(value)


_PLAIN = frozenset({str, int, float, bool, type(None), datetime})
"""Types of most fields, which BSON has too."""


@cache
def _converter(kind: type) -> Callable[[Any], Any]:
    """Return the function that makes values of this very type plain.

    Every write converts some fifty fields; to look for their types anew each time took five times
    as long.
    """
    if issubclass(kind, BaseModel):
        return _of_fields(kind.model_fields)
    if kind in _left_out:
        return _of_set_fields(kind, _left_out[kind])
    if is_dataclass(kind):
        return _of_fields(kind.__dataclass_fields__)
    if issubclass(kind, Enum):
        return attrgetter("value")
    if issubclass(kind, datetime):
        return _same
    if issubclass(kind, date):
        return date.isoformat
    if issubclass(kind, Mapping):
        return lambda value: {str(key): plain(item) for key, item in value.items()}
    if issubclass(kind, set | frozenset):
        return lambda value: [plain(item) for item in sorted(value)]
    if issubclass(kind, list | tuple):
        return lambda value: [plain(item) for item in value]
    return _same


def _of_fields(names: Iterable[str]) -> Callable[[Any], Document]:
    names = tuple(names)
    return lambda value: {name: plain(getattr(value, name)) for name in names}


def _of_set_fields(kind: type, left_out: frozenset[str]) -> Callable[[Any], Document]:
    """Return a converter like `_of_fields` that leaves out some fields with a default value."""
    declared = kind.__dataclass_fields__  # type: ignore[attr-defined]
    always = _of_fields(name for name in declared if name not in left_out)
    names = sorted(left_out)
    # One comparison of all of them, because nearly every value has the defaults.
    present = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    defaults = tuple(declared[name].default for name in names)

    def convert(value: Any) -> Document:
        document = always(value)
        if (own := present(value)) != defaults:
            for name, given, default in zip(names, own, defaults, strict=True):
                if given != default:
                    document[name] = plain(given)
        return document

    return convert


def _same(value: Any) -> Any:
    return value
