"""Hundreds of random steps of a small library, each compared with a plain model of the rules.

One title, three copies, four patrons, two branches; closures that are announced, ended, cancelled
and withdrawn as errors; fine suspensions; payments. After each step loans, due dates, the queue,
the place of each copy and each patron's debt are compared with `model.py`.
"""

import os
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.notices.branches.events import hours_changed
from services.notices.branches.rules import branch as branch_rules
from services.notices.refusals import Refusal
from tests.circulation.compared_library import (
    ComparedLibrary,
    World,
    code_of,
    events_tell_all,
    said,
)
from tests.circulation.desk import card_of
from tests.circulation.model import (
    AWAITED,
    Charge,
    Loan,
    Suspension,
)
from tests.support import token

EXAMPLES = int(os.environ.get("CARREL_STORIES", "6"))
"""Number of stories to play."""
STEPS = 80
"""Greatest number of steps in one story."""

PATRONS = st.integers(0, 3)
COPIES = st.integers(0, 2)
CHANCE = st.integers(0, 59)
"""A number that picks one of the items that exist."""
BRANCHES = st.integers(0, 1)
LENGTHS = st.one_of(st.none(), st.integers(1, 25))


class Story(ComparedLibrary):
    """The actions that people of a small library may take, in any order."""

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
        """Pay all debts, lend all copies to one patron, let the others queue, and return one copy.

        A patron with a copy on loan can't hold the title, so only others make a queue.
        """
        for patron in range(4):
            self.pay(patron)
        for copy in range(3):
            self.borrow(copy, 0, branch)
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
    @rule(days=st.integers(87, 120), branch=BRANCHES)
    def bring_back_at_the_cap(self, days: int, branch: int) -> None:
        """Return the copy that is due first, when its fine has reached the cap."""
        first = min((one for one in self.model.loans if one.open), key=lambda one: one.due)
        self.be_late(days)
        self._bring_back(first.copy, branch)

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
        """Return the ready holds that have a last day: without a known reopening there is none."""
        return [hold for hold in self.model.holds if hold.state == "ready" and hold.shelf_until]

    @rule(branch=BRANCHES, after=st.integers(-10, 15), length=LENGTHS)
    def close(self, branch: int, after: int, length: int | None) -> None:
        first = self.day + timedelta(days=after)
        end = None if length is None else first + timedelta(days=length)
        self.made += 1
        name = f"c{self.made}"
        self._announce(
            branch,
            lambda one, at: branch_rules.close(one, name, first, end, "typhoon", at=at),
        )

    @rule(branch=BRANCHES, which=st.integers(0, 9), after=st.integers(0, 20))
    def reopen(self, branch: int, which: int, after: int) -> None:
        day = self.day + timedelta(days=after)
        self._announce(
            branch,
            lambda one, at: branch_rules.reopen(
                one, branch_rules.Terms(_closure(one, which), day), at=at
            ),
        )

    @rule(branch=BRANCHES, which=st.integers(0, 9), in_error=st.booleans())
    def withdraw(self, branch: int, which: int, in_error: bool) -> None:
        self._announce(
            branch,
            lambda one, at: branch_rules.withdraw(
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


def _closure(branch: branch_rules.Branch, which: int) -> str:
    if not branch.closures:
        return "none"
    return branch.closures[which % len(branch.closures)].closure_id


def play(world: World, happened: Counter[str], *, stories: int = EXAMPLES, **chosen: Any) -> None:
    """Play stories on a service until one of them differs from the model.

    Failures are not shrunk: shrinking would play a story hundreds of times.
    """
    run_state_machine_as_test(
        type("Story", (Story,), {"world": world, "happened": happened}),
        settings=settings(
            max_examples=stories,
            stateful_step_count=STEPS,
            deadline=None,
            phases=(Phase.reuse, Phase.generate),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            **chosen,
        ),
    )


def test_hundreds_of_random_steps_end_in_the_state_of_the_model(
    mongo_url: str, database: str
) -> None:
    world = World(mongo_url, database)
    happened: Counter[str] = Counter()
    try:
        play(world, happened, print_blob=True)
        world.do(events_tell_all(world.api.app.state.database))
    finally:
        world.close()
    print(happened.most_common())  # noqa: T201 - pytest -s shows the figures
