"""Collections of patrons and cardholders, and of addresses kept for alerts."""

import re
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne

from services.accounts.cardholders.rules import (
    Cardholder,
    KeptAddress,
    Patron,
    normal_card,
    search_terms,
    sought,
)
from services.accounts.refusals import NoSuchPatron
from shared import reading
from shared.data_keys import DataKey
from shared.declared_indexes import Indexes, sharded_by
from shared.ids import card_digests
from shared.keys import each_of
from shared.mongo import Database, SnapshotQuery, from_document, plain, read_snapshot_page
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

EXPIRING = {"card_expires_on": {"$gt": ""}}
OF_BRANCH = "expiring_of_branch"  # the name of an index, for hints

INDEXES: Indexes = {
    "patrons": sharded_by(
        "_id",
        [
            IndexModel([("category", ASCENDING)]),
            IndexModel(
                [("card_expires_on", ASCENDING)],
                partialFilterExpression=EXPIRING,
            ),
            # The cards of a home library, in the order in which they expire.
            IndexModel(
                [("home_branch", ASCENDING), ("card_expires_on", ASCENDING), ("_id", ASCENDING)],
                name=OF_BRANCH,
                partialFilterExpression=EXPIRING,
            ),
        ],
    ),
    "cardholders": [
        IndexModel([("card_digest", ASCENDING)], unique=True),
        IndexModel([("card_number", ASCENDING)], unique=True),
        IndexModel(
            [("former_digest", ASCENDING)], partialFilterExpression={"former_digest": {"$gt": ""}}
        ),
        IndexModel([("calendar.link", ASCENDING)], unique=True, sparse=True),
        IndexModel([("role", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("terms", ASCENDING)]),
        IndexModel([("second_factor.id", ASCENDING)], sparse=True),
        IndexModel([("provider_link.login", ASCENDING)], unique=True, sparse=True),
        IndexModel([("provider_link.subject", ASCENDING)], sparse=True),
    ],
    "kept_addresses": sharded_by(
        "_id",
        [
            IndexModel([("patron_id", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ],
    ),
}
_AT_ONCE = 500
_OF_STAFF = ("disabled_at", "second_factor", "provider_link")
"""Fields of cardholders that are never set for patrons."""
PERSONAL = (
    Personal("patrons", "_id", leave_out=("card_digest",)),
    Personal(
        "cardholders",
        "_id",
        leave_out=(
            *("card_digest", "former_digest", "pin_hash", "pin_version", "devices", "terms"),
            *_OF_STAFF,
        ),
    ),
    Personal("kept_addresses"),
)

_CARDHOLDERS = Repository(Cardholder, "cardholders")
cardholder = _CARDHOLDERS.get
find_cardholder = _CARDHOLDERS.find

_PATRONS = Repository(Patron, "patrons")
patrons = _PATRONS.some
add_patrons = _PATRONS.add
save_patrons = _PATRONS.save

_KEPT_ADDRESSES = Repository(KeptAddress, "kept_addresses")
keep_address = _KEPT_ADDRESSES.add
"""Store the address of an alert."""


def patron(work: Work, patron_id: str) -> Patron | None:
    """Return a patron, or None if there is none or only a tombstone."""
    return work.find(Patron, "patrons", {"_id": patron_id, "status": {"$ne": "erased"}})


def patron_and_holder(work: Work, patron_id: str) -> tuple[Patron, Cardholder]:
    """Return a patron with their cardholder. Raises NoSuchPatron, also after erasure."""
    found, holder = patron(work, patron_id), cardholder(work, patron_id)
    if found is None or holder is None:
        raise NoSuchPatron
    return found, holder


def card_is_taken(work: Work, card_number: str) -> bool:
    """Return True if someone has this card. The unique index decides between concurrent uses."""
    return bool(work.count("cardholders", {"card_number": normal_card(card_number)}))


def holders_of_numbers(work: Work, card_numbers: Collection[str]) -> dict[str, Cardholder]:
    """Return the holders of these cards, keyed by the number as it is stored."""
    query = {"card_number": {"$in": sorted(map(normal_card, card_numbers))}}
    found = work.all(Cardholder, "cardholders", query)
    return {holder.card_number: holder for holder in found}


def with_card(work: Work, card_digest: str) -> Cardholder | None:
    """Return the holder of a card, or None."""
    return work.find(Cardholder, "cardholders", _has_card(card_digest))


def patron_with_card(work: Work, card_digest: str) -> Patron | None:
    """Return the patron who has a card, or None."""
    holder = with_card(work, card_digest)
    return patron(work, holder.id) if holder else None


def cardholders(work: Work, ids: Collection[str]) -> list[Cardholder]:
    """Return the cardholders with these ids."""
    return work.all(Cardholder, "cardholders", {"_id": {"$in": sorted(ids)}})


def login_is_taken(work: Work, login: str, account_id: str) -> bool:
    """Return True if another account is linked with this log-in at the identity provider."""
    query = {"provider_link.login": login, "_id": {"$ne": account_id}}
    return bool(work.count("cardholders", query))


async def find_linked(db: Database, subject: str, names: Collection[str]) -> list[Cardholder]:
    """Return the holders who are linked with a log-in at the provider, by its `sub` or a name."""
    either = [{"provider_link.subject": subject}, {"provider_link.login": {"$in": [*names]}}]
    return await reading.every(db, Cardholder, "cardholders", {"$or": either})


def holders_of_factors(work: Work) -> Sequence[Cardholder]:
    """Return the holders of accounts with a second factor."""
    return work.all(Cardholder, "cardholders", {"second_factor.id": {"$exists": True}})


def add_cardholders(work: Work, *cardholders: Cardholder) -> None:
    """Insert new cardholders."""
    work.add("cardholders", *map(_with_terms, cardholders))


def save_cardholders(work: Work, *cardholders: Cardholder) -> None:
    """Save cardholders after a change, each with the next version."""
    changed = (replace(holder, version=holder.version + 1) for holder in cardholders)
    work.save("cardholders", *map(_with_terms, changed))


def _with_terms(holder: Cardholder) -> dict[str, Any]:
    return {**plain(holder), "terms": search_terms(holder)}


def delete_cardholder(work: Work, cardholder_id: str) -> None:
    """Delete a cardholder, with the addresses that were kept for alerts to them."""
    work.delete("cardholders", {"_id": cardholder_id})
    work.delete("kept_addresses", {"patron_id": cardholder_id})


async def find_patron(db: Database, patron_id: str) -> Patron | None:
    """Return the same as `patron`, read outside any transaction."""
    return await reading.first(
        db, Patron, "patrons", {"_id": patron_id, "status": {"$ne": "erased"}}
    )


async def find_patron_and_holder(db: Database, patron_id: str) -> tuple[Patron, Cardholder]:
    """Return the same as `patron_and_holder`, read outside any transaction."""
    found, holder = await find_patron(db, patron_id), await find_cardholder(db, patron_id)
    if found is None or holder is None:
        raise NoSuchPatron
    return found, holder


async def find_born_by(db: Database, category: str, day: date) -> AsyncIterator[str]:
    """Yield the ids of patrons of a category whose known date of birth is not after a day."""
    holder = {"from": "cardholders", "localField": "_id", "foreignField": "_id", "as": "holder"}
    stages: list[dict[str, Any]] = [
        {"$match": {"category": category}},
        {"$lookup": holder},
        {"$match": {"holder.born_on": {"$gt": "", "$lte": day.isoformat()}}},
        {"$project": {"_id": 1}},
    ]
    async for found in db.patrons.aggregate(stages):
        yield found["_id"]


async def find_expiring(db: Database, category: str, first: date, last: date) -> AsyncIterator[str]:
    """Yield the ids of patrons of a category not yet warned of an expiry from `first` to `last`."""
    query = {
        "card_expires_on": {"$gte": first.isoformat(), "$lte": last.isoformat()},
        "category": category,
        "$expr": {"$ne": ["$card_expires_on", "$card_warned_for"]},
    }
    async for found in db.patrons.find(query, {"_id": 1}):
        yield found["_id"]


def _expiring_at(branch: str, first: date, last: date) -> dict[str, Any]:
    """Build the query for the cards of a home library that expire in a range of days."""
    days = {"$gte": first.isoformat(), "$lte": last.isoformat()}
    return {"home_branch": branch, "card_expires_on": days}


async def count_expiring_at(db: Database, branch: str, days: tuple[date, date], most: int) -> int:
    """Return the number of cards of a home library that expire from a day to another one.

    It is `most` + 1 if there are more than `most`.
    """
    where = _expiring_at(branch, *days)
    found: int = await db.patrons.count_documents(where, limit=most + 1, hint=OF_BRANCH)
    return found


async def find_expiring_at(
    db: Database, branch: str, days: tuple[date, date], limit: int, after: str | None
) -> list[tuple[Patron, Cardholder]]:
    """Return up to `limit` + 1 of these cards' patrons in the order of expiry, after one of them.

    `after` is the last day and the id of that patron, with a blank between them.
    """
    where = _expiring_at(branch, *days)
    if after is not None:
        day, _, last = after.partition(" ")
        where["card_expires_on"]["$gte"] = max(day, days[0].isoformat())
        where["$or"] = [{"card_expires_on": {"$gt": day}}, {"_id": {"$gt": last}}]
    order = [("card_expires_on", ASCENDING), ("_id", ASCENDING)]
    found = db.patrons.find(where, limit=limit + 1).sort(order).hint(OF_BRANCH)
    patrons = [from_document(Patron, document) async for document in found]
    holders = {one.id: one for one in await find_cardholders(db, [one.id for one in patrons])}
    return [(patron, holders[patron.id]) for patron in patrons if patron.id in holders]


async def find_names(db: Database, patron_ids: Collection[str]) -> dict[str, str]:
    """Return the names of cardholders, by id."""
    found = db.cardholders.find({"_id": {"$in": sorted(patron_ids)}}, {"name": 1})
    return {holder["_id"]: holder["name"] async for holder in found}


async def find_cardholders(db: Database, ids: Collection[str]) -> list[Cardholder]:
    """Return the same as `cardholders`, read outside any transaction."""
    found = db.cardholders.find({"_id": {"$in": sorted(ids)}})
    return [from_document(Cardholder, document) async for document in found]


async def holder_of_card(db: Database, card_digest: str) -> Cardholder | None:
    """Return the same as `with_card`, read outside any transaction."""
    return await reading.first(db, Cardholder, "cardholders", _has_card(card_digest))


async def find_patron_with_card(db: Database, card_digest: str) -> tuple[Patron, Cardholder] | None:
    """Return the patron who has this card with their cardholder, or None."""
    holder = await holder_of_card(db, card_digest)
    found = await find_patron(db, holder.id) if holder else None
    return (found, holder) if found and holder else None


async def search(db: Database, text: str, limit: int) -> list[tuple[Patron, Cardholder]]:
    """Return up to `limit` patrons of whom each word of a text begins a term, by id."""
    words = [{"terms": {"$regex": f"^{re.escape(word)}"}} for word in sought(text)]
    if not words:
        return []
    query = {"role": "patron", "$and": words}
    found = await db.cardholders.find(query).sort("_id", ASCENDING).to_list(limit)
    holders = {holder["_id"]: from_document(Cardholder, holder) for holder in found}
    patrons = await reading.every(db, Patron, "patrons", {"_id": {"$in": [*holders]}})
    listed = [(patron, holders[patron.id]) for patron in patrons if patron.status != "erased"]
    return sorted(listed, key=lambda each: (each[1].name.casefold(), each[0].id))


async def add_terms(db: Database) -> int:
    """Give patrons whom an earlier release stored their search terms; return how many."""
    lacking = db.cardholders.find({"terms": None, "role": "patron"}).hint([("terms", ASCENDING)])
    updates = [
        UpdateOne(
            {"_id": document["_id"], "version": document["version"]},
            {"$set": {"terms": search_terms(from_document(Cardholder, document))}},
        )
        for document in await lacking.to_list(_AT_ONCE)
    ]
    if not updates:
        return 0
    return (await db.cardholders.bulk_write(updates, ordered=False)).modified_count


async def find_known_cards(db: Database, card_numbers: Collection[str]) -> set[str]:
    """Return the numbers of those cards that someone has, as they are stored."""
    query = {"card_number": {"$in": sorted(map(normal_card, card_numbers))}}
    return {found["card_number"] async for found in db.cardholders.find(query, {"card_number": 1})}


async def find_stored_digest(db: Database, card_digests: Sequence[str]) -> str:
    """Return which digest of a card is stored, of those with each key; the newest if none is."""
    if len(card_digests) == 1:
        return card_digests[0]
    query = {"card_digest": {"$in": list(card_digests)}}
    found = await db.cardholders.find_one(query, {"card_digest": 1})
    return str(found["card_digest"]) if found else card_digests[0]


async def find_cards(db: Database) -> AsyncIterator[tuple[str, str, str]]:
    """Yield id, card number and digest of each cardholder, in the order of their ids."""
    fields = {"card_number": 1, "card_digest": 1}
    async for found in db.cardholders.find({}, fields).sort("_id", ASCENDING):
        yield found["_id"], found["card_number"], found["card_digest"]


def card_key(keys: str) -> DataKey:
    """Return the key of cards, which is found in the digest of any stored one."""

    async def key_of(db: Database) -> str | None:
        async for _, card_number, stored in find_cards(db):
            made = zip(each_of(keys), card_digests(card_number, keys), strict=True)
            return next((key for key, digest in made if digest == stored), "")
        return None

    return DataKey("CARREL_CARD_KEY", keys, renewed=True, matching=key_of)


async def find_digests(db: Database, patron_ids: Collection[str]) -> dict[str, str]:
    """Return the digests of patrons' cards, by patron id."""
    found = db.patrons.find({"_id": {"$in": sorted(patron_ids)}}, {"card_digest": 1})
    return {patron["_id"]: patron["card_digest"] async for patron in found}


async def find_with_former_digest(db: Database) -> AsyncIterator[str]:
    """Yield the ids of cardholders who have a digest with the former key of cards."""
    async for found in db.cardholders.find({"former_digest": {"$gt": ""}}, {"_id": 1}):
        yield found["_id"]


def _has_card(card_digest: str) -> dict[str, Any]:
    return {"$or": [{"card_digest": card_digest}, {"former_digest": card_digest}]}


async def holder_of_calendar(db: Database, link: str) -> Cardholder | None:
    """Return the holder whose calendar feed has this link now, or None."""
    found = await db.cardholders.find_one({"calendar.link": link})
    return None if found is None else from_document(Cardholder, found)


async def find_patrons(db: Database, query: SnapshotQuery) -> tuple[list[Patron], str | None]:
    """Return a page of the patrons, tombstones included, and where the next page begins."""
    return await read_snapshot_page(db.patrons, Patron, query, patron="_id")


async def find_languages(db: Database, patron_ids: Sequence[str]) -> dict[str, str]:
    """Return the languages chosen at registration, keyed by patron id."""
    found = db.patrons.find({"_id": {"$in": list(patron_ids)}}, {"language": 1})
    return {patron["_id"]: patron["language"] async for patron in found}


async def find_kept_address(
    db: Database, alert_id: str, patron_id: str, at: datetime
) -> KeptAddress | None:
    """Return the address of an alert of a patron, while it is kept."""
    query = {"_id": alert_id, "patron_id": patron_id, "expires_at": {"$gt": at}}
    return await reading.first(db, KeptAddress, "kept_addresses", query)
