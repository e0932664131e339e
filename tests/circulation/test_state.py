"""Hundreds of random steps of a small library, each compared with a plain model of the rules.

One title, three copies, four patrons, two branches; closures that are announced, ended, taken back
and withdrawn as errors; fine suspensions; payments. After each step loans, due dates, the queue,
the place of each copy and each patron's debt are compared with `model.py`.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.circulation.app import create_app
from services.notices.domain import branch as notices
from services.notices.domain.refusals import Refusal
from services.notices.usecases.publish_branch import hours_changed
from shared.ids import new_id
from tests.circulation.desk import STAFF, Desk, card_of, noon, settings_for
from tests.circulation.model import (
    AWAITED,
    OPEN,
    Charge,
    Loan,
    Model,
    Refused,
    Suspension,
)
from tests.support import served, token

R = TypeVar("R")

EXAMPLES = int(os.environ.get("CARREL_STORIES", "10"))
"""Number of stories to play."""
STEPS = 80
"""Greatest number of steps in one story."""

WEEK = tuple(notices.Hours(day, "09:00", "20:00") for day in range(7))
PATRONS = st.integers(0, 3)
COPIES = st.integers(0, 2)
CHANCE = st.integers(0, 59)
"""A number that picks one of the items that exist."""
BRANCHES = st.integers(0, 1)
LENGTHS = st.one_of(st.none(), st.integers(1, 25))


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


class Story(RuleBasedStateMachine):
    """The actions that people of a small library may take, in any order."""

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
            code: notices.register(code, code, "district", WEEK, self.day) for code in self.codes
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

    # ---- patrons and copies ---------------------------------------------------------------------

    @rule(copy=COPIES, patron=PATRONS, branch=BRANCHES)
    def borrow(self, copy: int, patron: int, branch: int) -> None:
        self._borrow(self.barcodes[copy], self.patrons[patron], self.codes[branch])

    @precondition(lambda self: any(hold.state == "ready" for hold in self.model.queue()))
    @rule(branch=BRANCHES, chance=CHANCE)
    def collect(self, branch: int, chance: int) -> None:
        ready = [hold for hold in self.model.queue() if hold.state == "ready"]
        hold = ready[chance % len(ready)]
        self._borrow(str(hold.copy), hold.patron, self.codes[branch])

    def _borrow(self, barcode: str, who: str, code: str) -> None:
        body = {"card_number": card_of(who), "barcodes": [barcode], "branch": code}
        [result] = self.world.do(self._call("/v1/checkouts", body))["results"]
        refused = said(self.model.check_out, barcode, who, code)
        self.both("borrow", refused, None if result["ok"] else result["problem"]["code"])

    @precondition(lambda self: any(loan.open for loan in self.model.loans))
    @rule(branch=BRANCHES, chance=CHANCE)
    def bring_back(self, branch: int, chance: int) -> None:
        """Return a copy that is on loan, or sometimes one that is not."""
        out = [loan.copy for loan in self.model.loans if loan.open]
        self._bring_back((out * 4 + self.barcodes)[chance % (len(out) * 4 + 3)], branch)

    def _bring_back(self, barcode: str, branch: int) -> None:
        code = self.codes[branch]
        body = {"barcodes": [barcode], "branch": code, "channel": "desk"}
        [result] = self.world.do(self._call("/v1/returns", body))["results"]
        refused = said(self.model.take_back, barcode, code)
        self.both("bring back", refused, None if result["ok"] else result["problem"]["code"])

    @precondition(lambda self: any(loan.open for loan in self.model.loans))
    @rule(copy=COPIES)
    def renew(self, copy: int) -> None:
        barcode = self.barcodes[copy]
        if (loan_id := self.world.do(self._open_loan(barcode))) is None:
            return
        answer = self.world.do(self._call(f"/v1/loans/{loan_id}/renewals"))
        self.both("renew", said(self.model.renew, barcode), code_of(answer))

    @precondition(lambda self: any(loan.open for loan in self.model.loans))
    @rule(copy=COPIES)
    def keep_renewing(self, copy: int) -> None:
        """Renew daily, more often than the policy allows, with no debts and no holds."""
        for patron in range(4):
            self.pay(patron)
            self.give_up(patron)
        for _ in range(7):
            self.wait(1)
            self.renew(copy)

    @precondition(lambda self: self._awaited())
    @rule(branch=BRANCHES, chance=CHANCE)
    def unpack(self, branch: int, chance: int) -> None:
        """Record the arrival of an awaited copy."""
        awaited = self._awaited()
        barcode, code = awaited[chance % len(awaited)], self.codes[branch]
        path = f"/v1/copies/{barcode}/arrival"
        answer = self.world.do(self._call(path, {"branch": code}))
        refused = said(self.model.receive, barcode, code)
        self.both("unpack", refused, code_of(answer))

    def _awaited(self) -> list[str]:
        return [name for name, copy in self.model.copies.items() if copy.state in AWAITED]

    @rule(patron=PATRONS, branch=BRANCHES)
    def hold(self, patron: int, branch: int) -> None:
        who, code = self.patrons[patron], self.codes[branch]
        body = {"title_id": self.title, "pickup_branch": code}
        answer = self.world.do(self._call("/v1/holds", body, as_=token(who)))
        refused = said(self.model.place, who, code)
        self.both("hold", refused, code_of(answer))

    @rule(branch=BRANCHES, other=BRANCHES)
    def all_want_it(self, branch: int, other: int) -> None:
        """Pay all debts, lend each copy, let every patron place a hold, and return one copy."""
        for patron in range(4):
            self.pay(patron)
        for copy in range(3):
            self.borrow(copy, copy, branch)
        for patron in (3, 0, 1, 2):
            self.hold(patron, other)
        self._bring_back(self.barcodes[0], branch)

    @precondition(lambda self: self.model.queue())
    @rule(patron=PATRONS)
    def give_up(self, patron: int) -> None:
        who = self.patrons[patron]
        if (hold_id := self.world.do(self._open_hold(who))) is None:
            return
        answer = self.world.do(self._call(f"/v1/holds/{hold_id}", method="DELETE", as_=token(who)))
        self.both("give up", said(self.model.cancel, who), code_of(answer))

    @rule(patron=PATRONS)
    def pay(self, patron: int) -> None:
        who = self.patrons[patron]
        charges = self.world.do(self._owed(who))
        if charges:
            body = {"charge_ids": charges}
            answer = self.world.do(self._call("/v1/payments", body, as_=token(who)))
            assert not isinstance(answer, str), answer
            self.happened["pay: done"] += 1
        self.model.pay(who)
        self.world.do(self._job("holds"))
        self.model.serve()

    # ---- time, closures, suspensions ------------------------------------------------------------

    @rule(days=st.integers(1, 20))
    def wait(self, days: int) -> None:
        self.day += timedelta(days=days)
        self.model.pass_days(days)
        self.world.do(self._job("holds"))

    @precondition(lambda self: any(loan.open for loan in self.model.loans))
    @rule(days=st.one_of(st.integers(1, 12), st.integers(87, 100)))
    def be_late(self, days: int) -> None:
        """Wait until some days after the first due date, or until its fine has reached the cap."""
        due = min(loan.due for loan in self.model.loans if loan.open)
        self.wait(max((due - self.day).days, 0) + days)

    @precondition(lambda self: any(loan.open for loan in self.model.loans))
    @rule(before=st.integers(0, 6), length=st.integers(1, 12))
    def close_when_due(self, before: int, length: int) -> None:
        """Close the branch of the loan that is due first, around its due date."""
        loan = min((one for one in self.model.loans if one.open), key=lambda one: one.due)
        after = (loan.due - self.day).days - before
        self.close(self.codes.index(loan.branch), after, length + before)

    @precondition(lambda self: self._ready())
    @rule(before=st.integers(0, 6), length=st.integers(1, 12))
    def close_the_shelf(self, before: int, length: int) -> None:
        """Close the branch of the first ready hold, around its last day on the shelf."""
        hold = self._ready()[0]
        after = (hold.shelf_until - self.day).days - before
        self.close(self.codes.index(hold.branch), after, length + before)

    def _ready(self) -> list[Any]:
        return [hold for hold in self.model.holds if hold.state == "ready"]

    @rule(branch=BRANCHES, after=st.integers(-10, 15), length=LENGTHS)
    def close(self, branch: int, after: int, length: int | None) -> None:
        first = self.day + timedelta(days=after)
        end = None if length is None else first + timedelta(days=length)
        self.made += 1
        name = f"c{self.made}"
        self._announce(
            branch,
            lambda one, at: notices.close(one, name, first, end, "typhoon", at=at),
        )

    @rule(branch=BRANCHES, which=st.integers(0, 9), after=st.integers(0, 20))
    def reopen(self, branch: int, which: int, after: int) -> None:
        day = self.day + timedelta(days=after)
        self._announce(
            branch,
            lambda one, at: notices.reopen(one, notices.Terms(_closure(one, which), day), at=at),
        )

    @rule(branch=BRANCHES, which=st.integers(0, 9), in_error=st.booleans())
    def withdraw(self, branch: int, which: int, in_error: bool) -> None:
        self._announce(
            branch,
            lambda one, at: notices.withdraw(
                one, _closure(one, which), in_error=in_error, at=at, today=self.day
            ),
        )

    @precondition(lambda self: self._moved())
    @rule()
    def find_an_error(self) -> None:
        """Withdraw, as an error, the newest closure of a branch where a due date was moved."""
        branch = self.codes.index(self._moved()[0].branch)
        self.withdraw(branch, len(self.said[self.codes[branch]].closures) - 1, in_error=True)

    def _moved(self) -> list[Loan]:
        return [loan for loan in self.model.loans if loan.open and loan.due > loan.base]

    def _announce(self, branch: int, change: Any) -> None:
        code = self.codes[branch]
        at = datetime.combine(self.day, time(4), UTC)
        try:
            changed = change(self.said[code], at)
        except Refusal:
            return
        if changed.version == self.said[code].version:
            return
        self.said[code] = changed
        event = hours_changed(changed)
        self.world.do(self._hear(event))
        self.model.hear(event)

    async def _hear(self, event: Any) -> None:
        await self.world.desk.hear(event, on=self.day)
        await self._job("rework-fines")

    @rule(after=st.integers(-30, 5), length=LENGTHS, branch=st.one_of(st.none(), BRANCHES))
    def suspend(self, after: int, length: int | None, branch: int | None) -> None:
        first = self.day + timedelta(days=after)
        resumes = None if length is None else first + timedelta(days=length)
        codes = self.codes if branch is None else [self.codes[branch]]
        body = {
            "starts_on": first.isoformat(),
            "resumes_on": resumes and resumes.isoformat(),
            "branches": codes,
            "reason": "epidemic",
        }
        made = self.world.do(self._suspend("/v1/fine-suspensions", body))
        self.model.suspend(
            Suspension(made["id"], first, resumes, None if branch is None else codes[0])
        )

    @precondition(lambda self: self._fines())
    @rule(chance=CHANCE, length=LENGTHS)
    def suspend_in_hindsight(self, chance: int, length: int | None) -> None:
        """Suspend fines on days that a fine has already charged."""
        fine = self._fines()[chance % len(self._fines())]
        assert fine.due is not None
        self.suspend((fine.due - self.day).days, length, self.codes.index(fine.branch))

    def _fines(self) -> list[Charge]:
        return [charge for charge in self.model.charges if charge.due and charge.amount]

    @precondition(lambda self: self.model.suspensions)
    @rule(which=st.integers(0, 9), in_error=st.booleans())
    def withdraw_suspension(self, which: int, in_error: bool) -> None:
        known = list(self.model.suspensions.values())
        one = known[which % len(known)]
        path = f"/v1/fine-suspensions/{one.id}/withdrawal"
        made = self.world.do(self._suspend(path, {"reason": "typing error", "in_error": in_error}))
        if not isinstance(made, str):
            one.resumes_on = one.first if in_error else max(one.first, self.day)
            self.model.suspend(one)

    async def _suspend(self, path: str, body: Any) -> Any:
        answer = await self._call(path, body)
        await self._job("rework-fines")
        return answer

    async def _job(self, name: str) -> None:
        answer = await self._call(f"/v1/ops/jobs/circulation/{name}")
        assert not isinstance(answer, str), answer

    # ---- comparison -----------------------------------------------------------------------------

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


def _closure(branch: notices.Branch, which: int) -> str:
    if not branch.closures:
        return "none"
    return branch.closures[which % len(branch.closures)].closure_id


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


def play(world: World, happened: Counter[str], **chosen: Any) -> None:
    """Play stories on a service until one of them differs from the model.

    Failures are not shrunk: shrinking would play a story hundreds of times.
    """
    run_state_machine_as_test(
        type("Story", (Story,), {"world": world, "happened": happened}),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=(Phase.reuse, Phase.generate),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            **chosen,
        ),
    )


@pytest.mark.timeout(600)
def test_hundreds_of_steps_end_where_the_plain_model_does(mongo_url: str, database: str) -> None:
    world = World(mongo_url, database)
    happened: Counter[str] = Counter()
    try:
        play(world, happened, print_blob=True)
        world.do(events_tell_all(world.api.app.state.database))
    finally:
        world.close()
    print(happened.most_common())  # noqa: T201 - pytest -s shows the figures
