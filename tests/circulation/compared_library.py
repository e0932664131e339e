"""A small library whose service and plain model take the same steps and are compared."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import date
from typing import Any, TypeVar

import orjson
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
)

from services.circulation.app import create_app
from services.notices.branches.events import hours_changed
from services.notices.branches.rules import branch as branch_rules
from services.notices.branches.rules.hours import Hours
from shared.ids import new_id
from tests.circulation.desk import STAFF, Desk, noon, settings_for
from tests.circulation.model import (
    OPEN,
    Model,
    Refused,
)
from tests.support import served

R = TypeVar("R")

WEEK = tuple(Hours(day, "09:00", "20:00") for day in range(7))


class World:
    """The service that plays all stories, on an event loop that a rule can call into."""

    def __init__(self, mongo_url: str, database: str) -> None:
        self.runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.api = self.do(
            self._stack.enter_async_context(served(create_app, settings_for(mongo_url, database)))
        )
        self.desk = Desk(self.api)

    def do(self, what: Coroutine[Any, Any, R]) -> R:
        return self.runner.run(what)

    def close(self) -> None:
        self.do(self._stack.aclose())
        self.runner.close()


class ComparedLibrary(RuleBasedStateMachine):
    """The service and the model of one library; after each step they have the same state."""

    world: World
    happened: Counter[str]
    """Number of times that each outcome came about, in all stories."""

    @initialize()
    def open_the_library(self) -> None:
        name = new_id()[-8:].upper()
        self.day = date(2021, 1, 4)
        self.codes = [f"N{name}", f"S{name}"]
        self.patrons = [f"{name}-{number}" for number in range(4)]
        self.said = {
            code: branch_rules.register(code, code, "district", WEEK, self.day)
            for code in self.codes
        }
        self.barcodes: list[str] = []
        self.made = 0
        self.world.do(self._open())
        homes = dict(zip(self.barcodes, (self.codes[0], self.codes[0], self.codes[1]), strict=True))
        self.model = Model(self.day, self.codes, homes)

    async def _open(self) -> None:
        desk = self.world.desk
        await desk.hear(*(hours_changed(branch) for branch in self.said.values()))
        for patron in self.patrons:
            await desk.patron(patron, home_branch=self.codes[0])
        copies = [
            {"barcode": f"B{new_id()[-12:]}", "category": "adult", "branch": code}
            for code in (self.codes[0], self.codes[0], self.codes[1])
        ]
        answer = await self._call(
            "/v1/titles", {"title": "A", "authors": [], "kind": "book", "copies": copies}
        )
        self.title = answer["id"]
        self.barcodes = [copy["barcode"] for copy in copies]

    async def _call(
        self, path: str, body: Any = None, *, method: str = "POST", as_: str = STAFF
    ) -> Any:
        """Send a request; return the decoded answer, or the code of the refusal."""
        at = noon(self.day.isoformat())
        answer = await self.world.api.insist(method, path, body, as_=as_, at=at)
        told = answer.json() if answer.body else {}
        assert answer.status < 500, told
        return told if answer.status < 400 else told["code"]

    def both(self, what: str, expected: str | None, happened: str | None) -> None:
        """Check that model and service gave the same outcome, and count it."""
        assert happened == expected
        self.happened[f"{what}: {happened or 'done'}"] += 1

    async def _job(self, name: str) -> None:
        answer = await self._call(f"/v1/ops/jobs/circulation/{name}")
        assert not isinstance(answer, str), answer

    async def _open_loan(self, barcode: str) -> str | None:
        loan = await self._database.loans.find_one({"barcode": barcode, "state": "open"})
        return loan and str(loan["_id"])

    async def _open_hold(self, patron: str) -> str | None:
        hold = await self._database.holds.find_one(
            {"patron_id": patron, "state": {"$in": list(OPEN)}}
        )
        return hold and str(hold["_id"])

    async def _owed(self, patron: str) -> list[str]:
        found = self._database.charges.find({"patron_id": patron, "outstanding_cents": {"$gt": 0}})
        return [charge["_id"] async for charge in found]

    @property
    def _database(self) -> Any:
        return self.world.api.app.state.database

    @invariant()
    def the_same_in_the_model(self) -> None:
        if not hasattr(self, "model"):
            return
        self.happened["step"] += 1
        loans, queue, copies, ledger = self.world.do(self._state())
        model = self.model
        assert loans == {
            loan.copy: (loan.patron, loan.due.isoformat(), loan.renewals)
            for loan in model.loans
            if loan.open
        }
        assert queue == [
            (one.patron, one.state, one.branch, one.copy, one.shelf_until and str(one.shelf_until))
            for one in model.queue()
        ]
        assert copies == {
            barcode: (copy.state, copy.at, copy.bound_for) for barcode, copy in model.copies.items()
        }
        assert ledger == {
            patron: (
                model.owes(patron),
                model.owes(patron),
                sum(one.refund_due for one in model.charges if one.patron == patron),
            )
            for patron in self.patrons
        }

    def teardown(self) -> None:
        """Count the story's outcomes, so that a kind that never occurs is noticed."""
        if hasattr(self, "model"):
            for hold in self.model.holds:
                self.happened[f"hold {hold.state}"] += 1
            for charge in self.model.charges:
                self.happened["fine" if charge.due else "fee"] += 1
                self.happened["refund due"] += charge.refund_due > 0
            self.happened["due date moved"] += sum(x.due > x.base for x in self.model.loans)

    async def _state(self) -> tuple[Any, Any, Any, Any]:
        database, title = self._database, {"title_id": self.title}
        copies = {copy["_id"]: copy async for copy in database.copies.find(title)}
        loans = {
            loan["barcode"]: (loan["patron_id"], loan["due_on"], loan["renewals"])
            async for loan in database.loans.find({**title, "state": "open"})
        }
        waiting = {**title, "state": {"$in": list(OPEN)}}
        queue = [
            (
                hold["patron_id"],
                hold["state"],
                hold["pickup_branch"],
                hold["copy_id"] and copies[hold["copy_id"]]["barcode"],
                hold["shelf_until"],
            )
            async for hold in database.holds.find(waiting).sort("place")
        ]
        ledger = {patron: await self._account(patron) for patron in self.patrons}
        places = {
            copy["barcode"]: (
                copy["state"],
                copy["at_branch"],
                copy["bound_for"],
            )
            for copy in copies.values()
        }
        return loans, queue, places, ledger

    async def _account(self, patron: str) -> tuple[int, int, int]:
        """Return the patron's counted debt, their debt by the entries and refund due, in cents."""
        counted = await self._database.borrowers.find_one({"_id": patron}) or {}
        owed = back = 0
        async for entry in self._database.entries.find({"patron_id": patron}):
            if entry["kind"] in ("refund-due", "refund"):
                back -= entry["amount_cents"]
            else:
                owed += entry["amount_cents"]
        return counted.get("outstanding_cents", 0), owed, back


async def published(database: Any, topics: str, name: str) -> dict[str, Any]:
    """Return the newest payload of each object in some topics: a consumer's final state."""
    newest: dict[str, Any] = {}
    async for row in database.outbox.find({"topic": {"$regex": topics}}):
        said = orjson.loads(row["body"])
        known = newest.get(said[name])
        if known is None or known["version"] < said["version"]:
            newest[said[name]] = said
    return newest


async def events_tell_all(database: Any) -> None:
    """Check that a consumer of all events, in any order, ends with the service's state."""
    for collection, topics, name, fields in (
        ("loans", "^loan\\.", "loan_id", ("patron_id", "due_on", "renewals", "state", "version")),
        ("holds", "^hold\\.", "hold_id", ("patron_id", "pickup_branch", "state", "version")),
        ("charges", "^fine\\.", "charge_id", ("amount_cents", "outstanding_cents", "version")),
    ):
        told = await published(database, topics, name)
        assert told, collection
        async for stored in database[collection].find({}):
            said = told.pop(stored["_id"])
            if said.get("to_fetch"):
                assert said["state"] == "in-transit"
                said["state"] = "to-fetch"
            assert {field: said[field] for field in fields} == {
                field: stored[field] for field in fields
            }
        assert told == {}


def code_of(answer: Any) -> str | None:
    """Return the code if the answer is a refusal, else None."""
    return answer if isinstance(answer, str) else None


def said(act: Any, *given: Any) -> str | None:
    """Return the code with which the model refuses, or None if it carries the action out."""
    try:
        act(*given)
    except Refused as refused:
        return str(refused)
    return None
