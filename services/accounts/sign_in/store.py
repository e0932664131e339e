"""Collections of attempts to log in, budgets of wrong PINs, sessions and assertions.

All replicas count attempts together, in atomic writes, by the database's time (`$$NOW`): a replica
whose clock is wrong counts as the others. An ended session is deleted; its tokens are refused
because of its last event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from services.accounts.sign_in.rules import (
    CHECKED_WITHIN,
    DAY,
    LOCKED_FOR,
    MOST_ATTEMPTS,
    WINDOW,
    Budget,
    Session,
)
from shared.assertions import Proof
from shared.declared_indexes import Indexes, sharded_by
from shared.ids import new_id
from shared.mongo import Database, Document
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

# What no longer counts expires, so that invented card numbers can't fill the disk.
INDEXES: Indexes = {
    "attempts": sharded_by(
        "_id",
        [
            IndexModel([("card_digest", ASCENDING)]),
            IndexModel([("forgotten_at", ASCENDING)], expireAfterSeconds=0),
        ],
    ),
    "wrong_pins": sharded_by(
        "_id",
        [
            IndexModel([("card_digest", ASCENDING)]),
            IndexModel([("forgotten_at", ASCENDING)], expireAfterSeconds=0),
        ],
    ),
    "sessions": sharded_by(
        "_id",
        [
            IndexModel([("account_id", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ],
    ),
    "assertions": sharded_by(
        "_id", [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)]
    ),
}
PERSONAL = (Personal("sessions", "account_id"),)

SLOTS = 12
"""Number of parts of a budget's window that are counted apart."""

CLOCK_MARGIN = timedelta(minutes=5)
"""Time by which the clocks of the database and of a replica may differ."""

_SESSIONS = Repository(Session, "sessions")
session = _SESSIONS.get
find_session = _SESSIONS.find
save_session = _SESSIONS.save
add_session = _SESSIONS.add


@dataclass(frozen=True)
class Taken:
    """Result of counting an attempt: whether it is admitted, and whether any is being checked."""

    taken: bool
    under_way: bool


@dataclass(frozen=True)
class Spent:
    """Result of counting a wrong PIN: whether it is counted, and in which slot."""

    spent: bool
    slot: datetime
    others_checked: bool
    """True if the PINs of others are being checked: those that are right will be uncounted."""


@dataclass(frozen=True)
class SpentOfNetwork(Spent):
    """The same for a network, with the cards that it has tried."""

    sprays: bool
    """True if the network has tried another card within a day, in vain or just now."""
    sprays_in_vain: bool
    """True if it has tried another card in vain, and not just now."""


async def take_attempt(db: Database, lock: str, card_digest: str) -> Taken:
    """Count one more attempt on a lock of a card, unless it is locked.

    This is one atomic write, so that all replicas together admit MOST_ATTEMPTS. The attempt counts
    before its PIN is checked, so concurrent attempts count as well. The document also holds the
    number of attempts being checked, for callers who are refused because of them.
    """
    recent = {
        "$filter": {
            "input": {"$ifNull": ["$times", []]},
            "cond": {"$gt": ["$$this", _ago(WINDOW)]},
        }
    }
    open_ = {"$lte": [{"$ifNull": ["$locked_until", "$$NOW"]}, "$$NOW"]}
    full = {"$gte": [{"$size": "$times"}, MOST_ATTEMPTS]}
    change: list[dict[str, Any]] = [
        {"$set": {"times": recent, "card_digest": card_digest}},
        {"$set": {"taken": {"$and": [open_, {"$not": [full]}]}}},
        {
            "$set": {
                "times": {"$cond": ["$taken", {"$concatArrays": ["$times", ["$$NOW"]]}, "$times"]}
            }
        },
        {
            "$set": {
                "locked_until": {
                    "$cond": [{"$and": ["$taken", full]}, _in(LOCKED_FOR), "$locked_until"]
                },
                "forgotten_at": {"$cond": ["$taken", _in(WINDOW + LOCKED_FOR), "$forgotten_at"]},
                "under_way": {"$add": [{"$ifNull": ["$under_way", 0]}, {"$toInt": "$taken"}]},
            }
        },
    ]
    attempt = await _changed(db, "attempts", lock, change)
    return Taken(bool(attempt["taken"]), under_way=attempt["under_way"] > 0)


async def are_under_way(db: Database, lock: str) -> bool:
    """Return True if attempts on a lock are being checked."""
    query = {"_id": lock, "under_way": {"$gt": 0}}
    return await db.attempts.find_one(query, {"_id": 1}) is not None


async def note_failure(db: Database, lock: str) -> None:
    """Note that an attempt failed: it stays counted, and is no longer being checked."""
    await db.attempts.update_one(
        {"_id": lock, "under_way": {"$gt": 0}}, {"$inc": {"under_way": -1}}
    )


async def clear_attempts(db: Database, lock: str) -> None:
    """Delete the attempts on a lock, after a successful login."""
    await db.attempts.delete_one({"_id": lock})


def delete_attempts(work: Work, card_digest: str) -> None:
    """Delete all that is counted of a card: its holder has a new PIN, or is erased."""
    work.delete("attempts", {"card_digest": card_digest})
    work.delete("wrong_pins", {"card_digest": card_digest})


# ---- budgets of wrong PINs ----------------------------------------------------------------------


async def spend(db: Database, budget: Budget, attempt: str = "") -> Spent:
    """Count one more wrong PIN, unless the budget is spent.

    `attempt` is the id of the attempt whose PIN is checked next; "": it stays counted whatever
    becomes of it. Wrong PINs are counted in slots, and a slot counts as long as any part of it is
    in the window. So no window of that length, wherever it begins, has more wrong PINs than the
    budget.
    """
    found = await _changed(db, "wrong_pins", budget.key, _spending(budget, attempt))
    return Spent(bool(found["spent"]), found["slot"], _are_others_checked(found, attempt))


async def spend_of_network(db: Database, budget: Budget, mark: str, attempt: str) -> SpentOfNetwork:
    """Do the same for a network; return also whether it has tried another card within a day.

    `mark` stands for the card. Beside it the first card is kept, so that nobody can have that one
    forgotten by logging in with cards of their own.
    """
    recent = {
        "$filter": {
            "input": {"$ifNull": ["$cards", []]},
            "cond": {"$gt": ["$$this.at", _ago(DAY)]},
        }
    }
    tried = {"card": mark, "at": "$$NOW", "checked_until": _in(CHECKED_WITHIN)}
    later = {"$mergeObjects": ["$$this", {"at": "$$NOW"}]}
    again = {"$cond": [{"$eq": ["$$this.card", mark]}, later, "$$this"]}
    cards = {
        "$cond": [
            {"$in": [mark, "$cards.card"]},
            {"$map": {"input": "$cards", "in": again}},
            {"$concatArrays": [{"$slice": ["$cards", 1]}, [tried]]},
        ]
    }
    others = {"$filter": {"input": "$cards", "cond": {"$ne": ["$$this.card", mark]}}}
    in_vain = {"$lte": [{"$ifNull": ["$$this.checked_until", "$$NOW"]}, "$$NOW"]}
    change = [
        *_spending(budget, attempt),
        {"$set": {"cards": recent}},
        {"$set": {"cards": cards, "forgotten_at": _in(DAY)}},
        {"$set": {"others": {"$map": {"input": others, "in": in_vain}}}},
    ]
    found = await _changed(db, "wrong_pins", budget.key, change)
    return SpentOfNetwork(
        bool(found["spent"]),
        found["slot"],
        _are_others_checked(found, attempt),
        sprays=bool(found["others"]),
        sprays_in_vain=any(found["others"]),
    )


async def give_back(db: Database, budget: Budget, slot: datetime, attempt: str) -> None:
    """Uncount an attempt that was counted in a slot: its PIN was right, or was not checked."""
    await db.wrong_pins.update_one(
        {"_id": budget.key, "slots": {"$elemMatch": {"at": slot, "count": {"$gt": 0}}}},
        {"$inc": {"slots.$.count": -1}, "$pull": {"checked": {"attempt": attempt}}},
    )


async def keep_counted(db: Database, budget: Budget, attempt: str) -> None:
    """Note that the PIN of an attempt was wrong: it stays counted, and is no longer checked."""
    await db.wrong_pins.update_one(
        {"_id": budget.key}, {"$pull": {"checked": {"attempt": attempt}}}
    )


async def keep_card(db: Database, budget: Budget, mark: str) -> None:
    """Note that a network has tried a card in vain."""
    await db.wrong_pins.update_one(
        {"_id": budget.key, "cards.card": mark}, {"$unset": {"cards.$.checked_until": ""}}
    )


async def forgive_card(db: Database, budget: Budget, mark: str) -> None:
    """Forget that a network has tried a card, because its PIN was right."""
    await db.wrong_pins.update_one({"_id": budget.key}, {"$pull": {"cards": {"card": mark}}})


def _spending(budget: Budget, attempt: str) -> list[dict[str, Any]]:
    width = budget.window / SLOTS
    milliseconds = _milliseconds(width)
    now = {"$toLong": "$$NOW"}

    def slots(cond: dict[str, Any]) -> dict[str, Any]:
        return {"$filter": {"input": {"$ifNull": ["$slots", []]}, "cond": cond}}

    in_this = {
        "$sum": {"$map": {"input": slots({"$eq": ["$$this.at", "$slot"]}), "in": "$$this.count"}}
    }
    more = {"at": "$slot", "count": {"$add": [in_this, 1]}}
    others = slots({"$ne": ["$$this.at", "$slot"]})
    left: Any = True if budget.most is None else {"$lt": [{"$sum": "$slots.count"}, budget.most]}
    checked = {
        "$filter": {
            "input": {"$ifNull": ["$checked", []]},
            "cond": {"$gt": ["$$this.at", _ago(CHECKED_WITHIN)]},
        }
    }
    one_more = [{"attempt": attempt, "at": "$$NOW"}] if attempt else []
    return [
        {
            "$set": {
                "slots": slots({"$gt": ["$$this.at", _ago(budget.window + width)]}),
                "slot": {"$toDate": {"$subtract": [now, {"$mod": [now, milliseconds]}]}},
                "checked": checked,
                "card_digest": budget.card_digest,
            }
        },
        {"$set": {"spent": left}},
        {
            "$set": {
                "slots": {"$cond": ["$spent", {"$concatArrays": [others, [more]]}, "$slots"]},
                "checked": {
                    "$cond": ["$spent", {"$concatArrays": ["$checked", one_more]}, "$checked"]
                },
                "forgotten_at": {"$cond": ["$spent", _in(budget.window + width), "$forgotten_at"]},
            }
        },
    ]


def _are_others_checked(found: Document, attempt: str) -> bool:
    return any(checked["attempt"] != attempt for checked in found["checked"])


def _ago(time: timedelta) -> dict[str, Any]:
    return {"$subtract": ["$$NOW", _milliseconds(time)]}


def _in(time: timedelta) -> dict[str, Any]:
    return {"$add": ["$$NOW", _milliseconds(time)]}


def _milliseconds(time: timedelta) -> int:
    return time // timedelta(milliseconds=1)


async def _changed(
    db: Database, collection: str, id_: str, change: list[dict[str, Any]]
) -> Document:
    """Change a document, or insert it, and return it."""
    while True:
        try:
            found: Document = await db[collection].find_one_and_update(
                {"_id": id_}, change, upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:
            continue  # a concurrent attempt inserted the document: count in that one
        return found


def sessions_of(work: Work, account_id: str) -> Sequence[Session]:
    """Return the open sessions of an account, the oldest first."""
    query = {"account_id": account_id}
    return work.all(Session, "sessions", query, sort=[("_id", ASCENDING)])


def delete_sessions(work: Work, sessions: Sequence[Session]) -> None:
    """Delete sessions that have ended."""
    work.delete("sessions", {"_id": {"$in": [session.id for session in sessions]}})


def use_once(work: Work, name: str, expires_at: datetime) -> bool:
    """Store that something was used, until it expires; return False if it was used before.

    Of two uses at once one is retried, because the id is unique.
    """
    if work.count("assertions", {"_id": name}):
        return False
    work.add("assertions", {"_id": name, "expires_at": expires_at + CLOCK_MARGIN})
    return True


async def use_assertion(db: Database, proof: Proof) -> bool:
    """Store that an assertion was used; return False if it was used before."""
    used = {
        "_id": f"{proof.service} {proof.id}",
        "attempt": new_id(),
        "expires_at": proof.expires_at + CLOCK_MARGIN,
    }
    try:
        await db.assertions.insert_one(used)
    except DuplicateKeyError:  # used before, or the answer to our own first insert was lost
        found = await db.assertions.find_one({"_id": used["_id"]}, {"attempt": 1})
        return found is not None and found["attempt"] == used["attempt"]
    return True
