"""Collections and indexes of accounts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.lockout import LOCKED_FOR, MOST_ATTEMPTS, WINDOW
from services.accounts.domain.patron import Patron
from services.accounts.domain.preferences import Preferences
from services.accounts.domain.signing_key import SigningKey
from services.accounts.domain.standing import Standing
from shared.mongo import Database, Indexes, Part, from_document, read_part, to_document
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "patrons": [],
    "cardholders": [IndexModel([("card_digest", ASCENDING)], unique=True)],
    "preferences": [],
    "standings": [],
    # The card's digest is the id. What no longer counts goes by itself, so that made-up card
    # numbers can't fill the disk.
    "attempts": [IndexModel([("forgotten_at", ASCENDING)], expireAfterSeconds=0)],
    "signing_keys": [
        IndexModel([("kid", ASCENDING)], unique=True),
        IndexModel([("published_until", ASCENDING)], expireAfterSeconds=0),
    ],
}


# ---- patrons and cardholders --------------------------------------------------------------------


async def patron(work: Work, patron_id: str) -> Patron | None:
    """The patron, unless there is none or only a tombstone."""
    return await work.find(Patron, "patrons", {"_id": patron_id, "status": {"$ne": "erased"}})


async def cardholder(work: Work, cardholder_id: str) -> Cardholder | None:
    """Who has this id."""
    return await work.find(Cardholder, "cardholders", {"_id": cardholder_id})


async def card_is_taken(work: Work, card_digest: str) -> bool:
    """Whether someone has this card. The unique index decides between two who ask at once."""
    return bool(await work.count("cardholders", {"card_digest": card_digest}))


async def holders_of_cards(work: Work, card_digests: Collection[str]) -> dict[str, Cardholder]:
    """Who has these cards, by the card's digest."""
    query = {"card_digest": {"$in": sorted(card_digests)}}
    found = await work.all(Cardholder, "cardholders", query)
    return {holder.card_digest: holder for holder in found}


async def patrons(work: Work, patron_ids: Collection[str]) -> dict[str, Patron]:
    """Some patrons, by id."""
    found = await work.all(Patron, "patrons", {"_id": {"$in": sorted(patron_ids)}})
    return {patron.id: patron for patron in found}


async def add_patrons(work: Work, *patrons: Patron) -> None:
    """New patrons, with preferences that none has chosen yet."""
    await work.add("patrons", *patrons)
    await work.add("preferences", *(Preferences(id=patron.id) for patron in patrons))


async def add_cardholders(work: Work, *cardholders: Cardholder) -> None:
    """New cardholders."""
    await work.add("cardholders", *cardholders)


async def save_patrons(work: Work, *patrons: Patron) -> None:
    """Patrons after a change."""
    await work.save("patrons", *patrons)


async def save_cardholders(work: Work, *cardholders: Cardholder) -> None:
    """Cardholders after a change."""
    await work.save("cardholders", *cardholders)


async def forget_person(work: Work, patron: Patron) -> None:
    """Delete everything personal of a patron."""
    await work.delete("cardholders", {"_id": patron.id})
    await work.delete("preferences", {"_id": patron.id})
    await work.delete("standings", {"_id": patron.id})
    await work.delete("attempts", {"_id": patron.card_digest})


async def note_standing(work: Work, standing: Standing) -> bool:
    """Keep what circulation says of a patron's debts; False if something newer is known."""
    return await work.save_if_newer("standings", standing)


async def find_patron(db: Database, patron_id: str) -> Patron | None:
    """As `patron`, outside any transaction."""
    found = await db.patrons.find_one({"_id": patron_id, "status": {"$ne": "erased"}})
    return None if found is None else from_document(Patron, found)


async def find_cardholder(db: Database, cardholder_id: str) -> Cardholder | None:
    """As `cardholder`, outside any transaction."""
    found = await db.cardholders.find_one({"_id": cardholder_id})
    return None if found is None else from_document(Cardholder, found)


async def holder_of_card(db: Database, card_digest: str) -> Cardholder | None:
    """Whose card this is."""
    found = await db.cardholders.find_one({"card_digest": card_digest})
    return None if found is None else from_document(Cardholder, found)


# ---- preferences --------------------------------------------------------------------------------


async def preferences(work: Work, patron_id: str) -> Preferences | None:
    """A patron's preferences; none once the patron is erased."""
    return await work.find(Preferences, "preferences", {"_id": patron_id})


async def save_preferences(work: Work, preferences: Preferences) -> None:
    """The preferences after a choice. Erasure deletes this document, so one of the two waits."""
    await work.save("preferences", preferences)


async def find_preferences(db: Database, patron_id: str) -> Preferences | None:
    """As `preferences`, outside any transaction."""
    found = await db.preferences.find_one({"_id": patron_id})
    return None if found is None else from_document(Preferences, found)


# ---- all of them, for a view that is built anew --------------------------------------------------


async def find_patrons(db: Database, part: Part) -> tuple[list[Patron], str | None]:
    """A part of the patrons, tombstones included, and where to go on."""
    return await read_part(db.patrons, Patron, part, patron="_id")


async def find_chosen_preferences(db: Database, part: Part) -> tuple[list[Preferences], str | None]:
    """A part of the preferences that were ever chosen, and where to go on."""
    chosen = {"version": {"$gt": 0}}
    return await read_part(db.preferences, Preferences, part, chosen, patron="_id")


async def find_languages(db: Database, patron_ids: Sequence[str]) -> dict[str, str]:
    """The languages that these patrons were registered with, by id."""
    found = db.patrons.find({"_id": {"$in": list(patron_ids)}}, {"language": 1})
    return {patron["_id"]: patron["language"] async for patron in found}


# ---- attempts to log in -------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """Whether an attempt was let in, and whether others on the same card are being looked at."""

    taken: bool
    under_way: bool


async def take_attempt(db: Database, card_digest: str, now: datetime) -> Taken:
    """Count one more attempt on a card, unless it is locked.

    One atomic write, so that any number of replicas together allow MOST_ATTEMPTS. The attempt
    counts from here on, before the PIN is looked at: those under way at once count as well. How
    many these are is kept beside it, for who is refused on their account.
    """
    recent = {
        "$filter": {
            "input": {"$ifNull": ["$times", []]},
            "cond": {"$gt": ["$$this", now - WINDOW]},
        }
    }
    open_ = {"$lte": [{"$ifNull": ["$locked_until", now]}, now]}
    full = {"$gte": [{"$size": "$times"}, MOST_ATTEMPTS]}
    change: list[dict[str, Any]] = [
        {"$set": {"times": recent}},
        {"$set": {"taken": {"$and": [open_, {"$not": [full]}]}}},
        {"$set": {"times": {"$cond": ["$taken", {"$concatArrays": ["$times", [now]]}, "$times"]}}},
        {
            "$set": {
                "locked_until": {
                    "$cond": [{"$and": ["$taken", full]}, now + LOCKED_FOR, "$locked_until"]
                },
                "forgotten_at": {"$cond": ["$taken", now + WINDOW + LOCKED_FOR, "$forgotten_at"]},
                "under_way": {"$add": [{"$ifNull": ["$under_way", 0]}, {"$toInt": "$taken"}]},
            }
        },
    ]
    while True:
        try:
            attempt = await db.attempts.find_one_and_update(
                {"_id": card_digest}, change, upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:
            continue  # another one made the document in this moment: count in that
        return Taken(bool(attempt["taken"]), under_way=attempt["under_way"] > 0)


async def attempts_are_under_way(db: Database, card_digest: str) -> bool:
    """Whether attempts on a card are being looked at."""
    query = {"_id": card_digest, "under_way": {"$gt": 0}}
    return await db.attempts.find_one(query, {"_id": 1}) is not None


async def note_failure(db: Database, card_digest: str) -> None:
    """An attempt was looked at and failed: it stays counted, and is no longer under way."""
    await db.attempts.update_one(
        {"_id": card_digest, "under_way": {"$gt": 0}}, {"$inc": {"under_way": -1}}
    )


async def find_known_cards(db: Database, card_digests: Collection[str]) -> set[str]:
    """Those of these cards that someone has, as digests."""
    query = {"card_digest": {"$in": sorted(card_digests)}}
    return {found["card_digest"] async for found in db.cardholders.find(query, {"card_digest": 1})}


async def clear_attempts(db: Database, card_digest: str) -> None:
    """Forget the attempts on a card: its holder has shown that they know the PIN."""
    await db.attempts.delete_one({"_id": card_digest})


async def unlock(work: Work, card_digest: str) -> None:
    """Forget the attempts on a card: its holder has a new PIN."""
    await work.delete("attempts", {"_id": card_digest})


# ---- signing keys -------------------------------------------------------------------------------


async def signing_key(work: Work) -> SigningKey | None:
    """The key that signs; none before the first login."""
    return await work.find(SigningKey, "signing_keys", {"published_until": None})


async def replace_key(work: Work, retired: SigningKey | None, new: SigningKey) -> None:
    """Let `new` sign instead of `retired`. Of two at once, one is run again and sees the other."""
    if retired is not None:
        await work.save("signing_keys", retired)
    await work.add("signing_keys", new)


async def find_signing_key(db: Database) -> SigningKey | None:
    """As `signing_key`, outside any transaction."""
    found = await db.signing_keys.find_one({"published_until": None})
    return None if found is None else from_document(SigningKey, found)


async def offer_first_key(db: Database, key: SigningKey) -> None:
    """Keep `key` as the first one, unless another replica was faster."""
    try:
        await db.signing_keys.insert_one(to_document(key))
    except DuplicateKeyError:
        return


async def published_keys(db: Database, now: datetime) -> list[SigningKey]:
    """Every key that a token still valid at `now` may be signed with."""
    cursor = db.signing_keys.find(
        {"$or": [{"published_until": None}, {"published_until": {"$gt": now}}]}, {"private": 0}
    )
    return [from_document(SigningKey, document) async for document in cursor]
