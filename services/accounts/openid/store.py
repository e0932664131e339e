"""Collections of clients of OpenID Connect, consents and grants."""

from collections.abc import AsyncIterator, Collection
from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.accounts.openid.rules import Client, Consent, Grant
from shared import reading
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "openid_clients": [IndexModel([("sector", ASCENDING)])],
    "openid_consents": sharded_by(
        "_id", [IndexModel([("patron_id", ASCENDING)]), IndexModel([("client_id", ASCENDING)])]
    ),
    "openid_grants": sharded_by(
        "_id",
        [
            IndexModel([("patron_id", ASCENDING), ("client_id", ASCENDING)]),
            IndexModel([("client_id", ASCENDING)]),
            IndexModel([("session_id", ASCENDING)]),
            IndexModel(
                [("log_out_at", ASCENDING)],
                partialFilterExpression={"log_out_at": {"$type": "date"}},
            ),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ],
    ),
}
PERSONAL = (
    Personal("openid_consents"),
    Personal("openid_grants", leave_out=("challenge", "nonce")),
)
MOST_AT_ONCE = 50

_CLIENTS = Repository(Client, "openid_clients")
client, clients, find_client = _CLIENTS.get, _CLIENTS.some, _CLIENTS.find
add_client, save_client, remove_client = _CLIENTS.add, _CLIENTS.save, _CLIENTS.remove
find_clients = _CLIENTS.find_some

_CONSENTS = Repository(Consent, "openid_consents")
consent, put_consent, remove_consent = _CONSENTS.get, _CONSENTS.put, _CONSENTS.remove

_GRANTS = Repository(Grant, "openid_grants")
grant, find_grant, add_grant, save_grants = _GRANTS.get, _GRANTS.find, _GRANTS.add, _GRANTS.save


async def find_all_clients(db: Database) -> list[Client]:
    """Return the clients that the library has registered."""
    return await reading.every(db, Client, "openid_clients", {})


def client_of_sector(work: Work, sector: str) -> Client | None:
    """Return a client of a sector, whose salt the others of it have."""
    return work.find(Client, "openid_clients", {"sector": sector})


async def find_consents(db: Database, patron_id: str) -> list[Consent]:
    """Return the consents that a patron has given."""
    return await reading.every(db, Consent, "openid_consents", {"patron_id": patron_id})


def grants_at(work: Work, client_id: str, patron_id: str) -> list[Grant]:
    """Return the grants of a patron to a client."""
    query = {"patron_id": patron_id, "client_id": client_id}
    return work.all(Grant, "openid_grants", query)


def grants_of_session(work: Work, session_id: str) -> list[Grant]:
    """Return the grants that were given in a session."""
    return work.all(Grant, "openid_grants", {"session_id": session_id})


def delete_grants(work: Work, ids: Collection[str]) -> None:
    """Delete grants of which nobody has to be told."""
    work.delete("openid_grants", {"_id": {"$in": sorted(ids)}})


def delete_of_patron(work: Work, patron_id: str) -> None:
    """Delete all that a patron has given to clients."""
    _CONSENTS.delete_of(work, patron_id)
    _GRANTS.delete_of(work, patron_id)


async def delete_of_client(db: Database, client_id: str) -> None:
    """Delete all that patrons have given to a client that was removed."""
    await db.openid_consents.delete_many({"client_id": client_id})
    await db.openid_grants.delete_many({"client_id": client_id})


async def find_to_log_out(db: Database, at: datetime) -> AsyncIterator[str]:
    """Yield the ids of grants whose clients are to be told that the session has ended."""
    query = {"log_out_at": {"$lte": at, "$type": "date"}}  # in the words of the index
    due = db.openid_grants.find(query, {"_id": 1})
    async for found in due.sort("log_out_at", ASCENDING).limit(MOST_AT_ONCE):
        yield found["_id"]
