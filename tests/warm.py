"""Databases, connections, applications and ports that the tests of one process share.

So each test starts sooner: indexes exist, routes are compiled, and addresses are the same as in
the tests before it.
"""

import contextlib
import inspect
import os
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from unittest.mock import patch

from fastapi import FastAPI
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import IndexModel, MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)
from pymongo.write_concern import WriteConcern

from ops.infrastructure import ports
from services.settings import Settings
from shared import declared_indexes
from shared import mongo as services_mongo
from shared.http import app as services_app
from shared.settings import PREFIX
from tests import patience

Mongo = MongoClient[dict[str, object]]

# ---- databases ----------------------------------------------------------------------------------


def empty(mongo: Mongo, prefix: str) -> None:
    """Delete all documents of the databases with this prefix; collections and indexes stay."""
    wait_for_writes(mongo, prefix)
    filled = [
        collection
        for name in mongo.list_database_names()
        if name.startswith(prefix)
        for collection in _filled(mongo[name])
    ]
    # The majority that has the last deletion has those before it.
    for number, collection in enumerate(filled, 1):
        sure = WriteConcern("majority" if number == len(filled) else 1)
        collection.with_options(write_concern=sure).delete_many({})


def wait_for_writes(mongo: Mongo, prefix: str) -> None:
    """Wait until no write to the databases with this prefix is at work on the server.

    A write that a test gave up, as one blocked by a transaction, is not ended by that.
    """
    writing: list[dict[str, object]] = [
        {"$currentOp": {}},
        {"$match": {"active": True, "op": {"$ne": "getmore"}, "ns": {"$regex": f"^{prefix}"}}},
    ]
    deadline = time.monotonic() + patience.stretched(30)
    while list(mongo.admin.aggregate(writing)):
        if time.monotonic() > deadline:
            raise TimeoutError("a write of an earlier test did not end in time")
        time.sleep(0.005)  # between looks, up to the deadline


def _filled(database: Database[dict[str, object]]) -> list[Collection[dict[str, object]]]:
    """Return the collections that have documents, found by one query."""
    first, *others = database.list_collection_names()
    unions = [{"$unionWith": {"coll": name, "pipeline": _one_of(name)}} for name in others]
    found = database[first].aggregate([*_one_of(first), *unions])
    return [database[str(one["name"])] for one in found]


def _one_of(collection: str) -> list[dict[str, object]]:
    return [{"$limit": 1}, {"$project": {"_id": 0, "name": {"$literal": collection}}}]


class _Kept(Mongo):
    """A client that stays connected for the whole run: `close` only ends its use by one test."""

    def close(self) -> None:
        """Keep the connections."""


class _Drops(CommandListener):
    """Forgets which indexes were created when a test drops or replaces any."""

    def __init__(self, created: set[tuple[str, str]]) -> None:
        self._created = created

    def started(self, event: CommandStartedEvent) -> None:
        """Look at a command that is sent."""
        if event.command_name in ("drop", "dropDatabase", "dropIndexes", "renameCollection"):
            self._created.clear()

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Ignore the answer."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Ignore the failure."""


class _Requests(CommandListener):
    """Notes the names of the commands that are sent while a test counts them."""

    def __init__(self) -> None:
        self.counted: list[str] | None = None

    def started(self, event: CommandStartedEvent) -> None:
        """Note a command that is sent."""
        if self.counted is not None and not _by_the_clock(event):
            self.counted.append(event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Ignore the answer."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Ignore the failure."""


def _by_the_clock(event: CommandStartedEvent) -> bool:
    """Tell what a service sends every few seconds, whatever a test does.

    It looks for the keys of tokens, notes its process, and measures the age of its outbox.
    """
    name, collection = event.command_name, event.command[event.command_name]
    reads = name in ("find", "aggregate")
    return collection in ("known_keys", "processes") or (reads and collection == "outbox")


_requests = _Requests()


@contextlib.contextmanager
def requests_sent() -> Iterator[list[str]]:
    """Yield a list that gets the name of each command that services here send to the database.

    The database's own counters would also have what it asks itself, every five minutes.
    """
    _requests.counted = []
    try:
        yield _requests.counted
    finally:
        _requests.counted = None


@contextlib.contextmanager
def kept(url: str, prefix: str) -> Iterator[None]:
    """Let the services and tests of this process share their connections to the server at `url`.

    A new client connects to the server several times. It also creates the indexes of databases
    with this prefix once, instead of once for each start of a service.
    """
    clients: dict[object, _Kept] = {}
    created: set[tuple[str, str]] = set()
    ensure_indexes = declared_indexes.ensure_indexes

    def client(host: str, **options: Any) -> Mongo:
        if host != url:
            return MongoClient(host, **options)
        key = options["serverSelectionTimeoutMS"]
        if key not in clients:
            clients[key] = _Kept(host, **options, event_listeners=[_Drops(created), _requests])
        return clients[key]

    async def ensure(
        database: services_mongo.Database, indexes: Mapping[str, Sequence[IndexModel]]
    ) -> None:
        if not (isinstance(database.client.delegate, _Kept) and database.name.startswith(prefix)):
            await ensure_indexes(database, indexes)
            return
        wanted = {name: [one.document for one in some] for name, some in indexes.items()}
        if (key := (database.name, repr(wanted))) not in created:
            await ensure_indexes(database, indexes)
            created.add(key)

    with (
        patch.object(AsyncIOMotorClient, "__delegate_class__", staticmethod(client)),
        patch.object(declared_indexes, "ensure_indexes", ensure),
        patch.object(services_app, "ensure_indexes", ensure),
    ):
        yield
    for one in clients.values():
        MongoClient.close(one)


# ---- settings and applications ------------------------------------------------------------------

S = TypeVar("S", bound=Settings)
CreateApp = Callable[[Any], FastAPI]

_made: dict[object, Any] = {}
"""Settings by what they are made of: reading the environment takes some milliseconds."""


def settings_of(kind: type[S], **values: Any) -> S:
    """Return settings of a service with these values, and the others from the environment."""
    environment = [one for one in os.environ.items() if one[0].startswith(PREFIX)]
    key = (kind, repr(values), repr(environment))
    if key not in _made:
        _made[key] = kind(**values)
    made: S = _made[key]
    return made


MOST_IDLE = 16
"""Applications that are kept; each takes some megabytes."""

_idle: list[tuple[CreateApp, Settings, FastAPI]] = []
"""Applications that no test is using. Their routes are compiled, which takes about 0.1 s."""


@contextlib.asynccontextmanager
async def application(create_app: CreateApp, settings: Settings) -> AsyncIterator[FastAPI]:
    """Yield an application; reuse an idle one if it makes all its state when it starts."""
    found = next((one for one in _idle if one[0] is create_app and one[1] == settings), None)
    if found:
        _idle.remove(found)
        app, starts_anew = found[2], True
    else:
        app = create_app(settings)
        starts_anew = inspect.isfunction(create_app) and not app.state._state
    yield app
    if starts_anew:
        app.state._state.clear()
        app.middleware_stack = None  # limits count in their middleware
        _idle.append((create_app, settings, app))
        del _idle[:-MOST_IDLE]


# ---- ports --------------------------------------------------------------------------------------

_free: defaultdict[str, list[socket.socket]] = defaultdict(list)
"""Bound sockets that hold the ports which no server is using, by the kind of server."""


@contextlib.contextmanager
def port_for(kind: str, wanted: int = 0) -> Iterator[int]:
    """Yield a port of this process, or the wanted one.

    The servers of a kind get the same ports in each test. So the settings that name the address of
    a server are the same, and the applications that are made from these settings can be used again.
    Nothing answers there unless a server listens.
    """
    found = [one for one in _free[kind] if wanted in (0, one.getsockname()[1])]
    if found:
        _free[kind].remove(found[-1])
    holder = found[-1] if found else _bound(wanted)
    try:
        yield int(holder.getsockname()[1])
    finally:
        _free[kind].append(holder)
        _free[kind].sort(key=socket.socket.getsockname, reverse=True)


def listening(port: int) -> socket.socket:
    """Return a socket for a server at a port of this process."""
    return _bound(port)


def _bound(port: int) -> socket.socket:
    # IPPROTO_TCP is named because asyncio sets TCP_NODELAY only then: else each answer takes 40 ms.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    ports.share(bound)
    bound.bind(("127.0.0.1", port))
    return bound


_NOWHERE = _bound(0)


def nobody() -> str:
    """Return an address where no server listens."""
    return f"http://127.0.0.1:{_NOWHERE.getsockname()[1]}"
