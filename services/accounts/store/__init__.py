"""Collections and indexes of accounts; those of larger subjects in modules of their own."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import date, datetime
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from services.accounts.domain.cardholder import Cardholder, normal_card
from services.accounts.domain.patron import Patron
from services.accounts.domain.preferences import Preferences
from services.accounts.domain.signing_key import SigningKey
from services.accounts.domain.staff import Manager, StaffAccount
from services.accounts.domain.standing import Standing
from services.accounts.store import alerts as alerts
from services.accounts.store import assertions as assertions
from services.accounts.store import attempts as attempts
from services.accounts.store import branches as branches
from services.accounts.store import erasures as erasures
from services.accounts.store import family as family
from services.accounts.store import pin_resets as pin_resets
from services.accounts.store import sessions as sessions
from services.accounts.store import staff as staff
from services.accounts.store import staff_requests as staff_requests
from shared.mongo import (
    Database,
    Indexes,
    SnapshotQuery,
    from_document,
    read_snapshot_page,
    sharded_by,
    to_document,
)
from shared.personal_data import Personal
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "patrons": sharded_by("_id", [IndexModel([("category", ASCENDING)])]),
    "cardholders": [
        IndexModel([("card_digest", ASCENDING)], unique=True),
        IndexModel([("card_number", ASCENDING)], unique=True),
        IndexModel(
            [("former_digest", ASCENDING)], partialFilterExpression={"former_digest": {"$gt": ""}}
        ),
        IndexModel([("calendar.link", ASCENDING)], unique=True, sparse=True),
        IndexModel([("role", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("second_factor.id", ASCENDING)], sparse=True),
    ],
    "preferences": sharded_by("_id", []),
    "standings": sharded_by("_id", []),
    **branches.INDEXES,
    **erasures.INDEXES,
    **alerts.INDEXES,
    **attempts.INDEXES,
    **pin_resets.INDEXES,
    **family.INDEXES,
    **sessions.INDEXES,
    **staff_requests.INDEXES,
    **assertions.INDEXES,
    "signing_keys": [
        IndexModel([("kid", ASCENDING)], unique=True),
        IndexModel([("published_until", ASCENDING)], expireAfterSeconds=0),
    ],
}

_OF_STAFF = ("disabled_at", "second_factor")
"""Fields of cardholders that are never set for patrons."""
PERSONAL = (
    Personal("patrons", "_id", leave_out=("card_digest",)),
    Personal(
        "cardholders",
        "_id",
        leave_out=(
            *("card_digest", "former_digest", "pin_hash", "pin_version", "devices"),
            *_OF_STAFF,
        ),
    ),
    Personal("preferences", "_id"),
    Personal("standings", "_id"),
    Personal("erasures", "_id"),
    Personal("kept_addresses"),
    Personal("pin_resets", leave_out=("card_digest",)),
    Personal("links"),
    Personal("invitations", leave_out=("card_digest", "invited_id", "state")),
    Personal("sessions", "account_id"),
)


# ---- patrons and cardholders --------------------------------------------------------------------


def patron(work: Work, patron_id: str) -> Patron | None:
    """Return a patron, or None if there is none or only a tombstone."""
    return work.find(Patron, "patrons", {"_id": patron_id, "status": {"$ne": "erased"}})


def cardholder(work: Work, cardholder_id: str) -> Cardholder | None:
    """Return the cardholder with an id, or None."""
    return work.find(Cardholder, "cardholders", {"_id": cardholder_id})


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


def cardholders(work: Work, ids: Collection[str]) -> list[Cardholder]:
    """Return the cardholders with these ids."""
    return work.all(Cardholder, "cardholders", {"_id": {"$in": sorted(ids)}})


def holders_of_factors(work: Work) -> Sequence[Cardholder]:
    """Return the holders of accounts with a second factor."""
    return work.all(Cardholder, "cardholders", {"second_factor.id": {"$exists": True}})


def patrons(work: Work, patron_ids: Collection[str]) -> dict[str, Patron]:
    """Return patrons by id, keyed by id."""
    found = work.all(Patron, "patrons", {"_id": {"$in": sorted(patron_ids)}})
    return {patron.id: patron for patron in found}


def add_patrons(work: Work, *patrons: Patron) -> None:
    """Insert new patrons."""
    work.add("patrons", *patrons)


def add_cardholders(work: Work, *cardholders: Cardholder) -> None:
    """Insert new cardholders."""
    work.add("cardholders", *cardholders)


def save_patrons(work: Work, *patrons: Patron) -> None:
    """Save patrons after a change."""
    work.save("patrons", *patrons)


def save_cardholders(work: Work, *cardholders: Cardholder) -> None:
    """Save cardholders after a change."""
    work.save("cardholders", *cardholders)


def delete_cardholder(work: Work, cardholder_id: str) -> None:
    """Delete a cardholder, with the addresses that were kept for alerts to them."""
    work.delete("cardholders", {"_id": cardholder_id})
    work.delete("kept_addresses", {"patron_id": cardholder_id})


def note_standing(work: Work, standing: Standing) -> bool:
    """Store a patron's standing from circulation; return False if a newer one is stored."""
    return work.save_if_newer("standings", standing)


async def find_patron(db: Database, patron_id: str) -> Patron | None:
    """Return the same as `patron`, read outside any transaction."""
    found = await db.patrons.find_one({"_id": patron_id, "status": {"$ne": "erased"}})
    return None if found is None else from_document(Patron, found)


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


async def find_names(db: Database, patron_ids: Collection[str]) -> dict[str, str]:
    """Return the names of cardholders, by id."""
    found = db.cardholders.find({"_id": {"$in": sorted(patron_ids)}}, {"name": 1})
    return {holder["_id"]: holder["name"] async for holder in found}


async def find_cardholder(db: Database, cardholder_id: str) -> Cardholder | None:
    """Return the same as `cardholder`, read outside any transaction."""
    found = await db.cardholders.find_one({"_id": cardholder_id})
    return None if found is None else from_document(Cardholder, found)


async def find_account(db: Database, account_id: str, by: Manager) -> StaffAccount:
    """Return an account that `by` may manage. Raises NoSuchAccount."""
    return StaffAccount.of(by.check_covered(await find_cardholder(db, account_id)))


async def holder_of_card(db: Database, card_digest: str) -> Cardholder | None:
    """Return the same as `with_card`, read outside any transaction."""
    found = await db.cardholders.find_one(_has_card(card_digest))
    return None if found is None else from_document(Cardholder, found)


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


# ---- preferences --------------------------------------------------------------------------------


def preferences(work: Work, patron_id: str) -> Preferences | None:
    """Return a patron's preferences; None once the patron is erased."""
    return work.find(Preferences, "preferences", {"_id": patron_id})


def add_preferences(work: Work, *preferences: Preferences) -> None:
    """Insert the default preferences of new patrons."""
    work.add("preferences", *preferences)


def delete_preferences(work: Work, patron_id: str) -> None:
    """Delete the preferences of a patron who is erased."""
    work.delete("preferences", {"_id": patron_id})


def save_preferences(work: Work, preferences: Preferences) -> None:
    """Save the preferences after a choice; conflicts with an erasure, which deletes them."""
    work.save("preferences", preferences)


async def find_preferences(db: Database, patron_id: str) -> Preferences | None:
    """Return the same as `preferences`, read outside any transaction."""
    found = await db.preferences.find_one({"_id": patron_id})
    return None if found is None else from_document(Preferences, found)


# ---- pages of snapshots -------------------------------------------------------------------------


async def find_patrons(db: Database, query: SnapshotQuery) -> tuple[list[Patron], str | None]:
    """Return a page of the patrons, tombstones included, and where the next page begins."""
    return await read_snapshot_page(db.patrons, Patron, query, patron="_id")


async def find_chosen_preferences(
    db: Database, query: SnapshotQuery
) -> tuple[list[Preferences], str | None]:
    """Return a page of the preferences that were ever chosen, and where the next page begins."""
    chosen = {"version": {"$gt": 0}}
    return await read_snapshot_page(db.preferences, Preferences, query, chosen, patron="_id")


async def find_languages(db: Database, patron_ids: Sequence[str]) -> dict[str, str]:
    """Return the languages chosen at registration, keyed by patron id."""
    found = db.patrons.find({"_id": {"$in": list(patron_ids)}}, {"language": 1})
    return {patron["_id"]: patron["language"] async for patron in found}


# ---- signing keys -------------------------------------------------------------------------------


def signing_key(work: Work) -> SigningKey | None:
    """Return the key that signs; None before the first login."""
    return work.find(SigningKey, "signing_keys", {"published_until": None})


def replace_key(work: Work, retired: SigningKey | None, new: SigningKey) -> None:
    """Replace the signing key. On concurrent replacements one transaction is retried."""
    if retired is not None:
        work.save("signing_keys", retired)
    work.add("signing_keys", new)


def replace_all_keys(work: Work, new: SigningKey) -> None:
    """Delete all keys and insert one. On concurrent replacements one transaction is retried."""
    work.delete("signing_keys", {})
    work.add("signing_keys", new)


async def find_signing_key(db: Database) -> SigningKey | None:
    """Return the same as `signing_key`, read outside any transaction."""
    found = await db.signing_keys.find_one({"published_until": None})
    return None if found is None else from_document(SigningKey, found)


async def offer_first_key(db: Database, key: SigningKey) -> None:
    """Insert `key` as the first one, unless another replica has inserted one."""
    try:
        await db.signing_keys.insert_one(to_document(key))
    except DuplicateKeyError:
        return


async def published_keys(db: Database, now: datetime) -> list[SigningKey]:
    """Return the public half of every key that may have signed a token still valid at `now`."""
    cursor = db.signing_keys.find(
        {"$or": [{"published_until": None}, {"published_until": {"$gt": now}}]},
        {"private": 0, "sealed": 0},
    )
    return [from_document(SigningKey, document) async for document in cursor]
