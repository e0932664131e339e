"""Random refusals: each way out works, nothing cheaper does, and every cheapest way is named.

Each combination of steps is tried on the facts by the rules alone, for 1,000 refusals. Fifty
more are carried out by the routes and the store.
"""

# ruff: noqa: B023, S311 - functions of a loop are called in it; the choices are no secrets

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from random import Random
from typing import Any

from services.circulation import refusals
from services.circulation.holds.commands.placing import (
    PlaceHold,
    PlacingTerms,
    new_hold,
    ways_to_reserve,
)
from services.circulation.loans.commands.check_out import LendingTerms, lend_each, ways_to_borrow
from services.circulation.loans.commands.renew import renewed_by, ways_to_renew
from services.circulation.loans.store.facts import RenewalFacts
from services.circulation.rules.branch_calendar import (
    AnnouncedClosure,
    Announcement,
    BranchCalendar,
)
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.due_date import current
from services.circulation.rules.hold import Hold, HoldState, Target
from services.circulation.rules.hold_queue import Waiting
from services.circulation.rules.loan import Loan
from services.circulation.rules.patron import Borrower, Patron
from services.circulation.rules.policy import Policy, PolicyMatrix
from services.circulation.rules.ways_out import MOST_WAYS, OpenLoans
from tests.circulation.desk import STAFF, Desk, noon
from tests.circulation.test_ways_out import pay, set_policy
from tests.day_by_day import next_open, overdue_days
from tests.support import Answer, token

TODAY = date(2021, 3, 10)
NOW = datetime(2021, 3, 10, 4, tzinfo=UTC)
KINDS = {"central": "HKCL", "small": "LFU"}
CATEGORIES = ("adult", "children")
DAY = timedelta(days=1)
Cost = tuple[int, int, int, int, int]
"""Cents, items, days, holds, other choices."""


def policies(random: Random) -> PolicyMatrix:
    scopes = [
        (copy, kind) for copy in (None, *CATEGORIES) for kind in (None, *KINDS) if copy or kind
    ]
    return PolicyMatrix(
        Policy(
            id=f"p{number}",
            copy_category=copy,
            branch_kind=kind,
            max_loans=random.randint(1, 5),
            max_holds=random.randint(1, 4),
            block_over_cents=random.choice((0, 1, 1, 1, 500, 2000)),
            fine_per_day_cents=random.choice((50, 150)),
            fine_cap_cents=random.choice((None, 400, 13_000)),
            renewals_allowed=random.randint(0, 3),
            renewal_days=random.choice((7, 14)),
        )
        for number, (copy, kind) in enumerate(
            [(None, None), *random.sample(scopes, random.randint(0, 4))]
        )
    )


def calendar(random: Random, kind: str) -> BranchCalendar:
    begins = TODAY + timedelta(days=random.randint(-20, 20))
    closures = (
        AnnouncedClosure(
            id="c1",
            starts_on=begins,
            reason="",
            announcements=(Announcement(2, NOW, begins + timedelta(days=random.randint(1, 20))),),
            extra_renewals=random.choice((0, 0, 2)),
        ),
    )
    return BranchCalendar(
        id=KINDS[kind],
        version=2,
        kind=kind,
        weekly_closed=frozenset(random.sample(range(1, 8), random.randint(0, 2))),
        closures=closures if random.random() < 0.5 else (),
    )


def loan(random: Random, number: int, branch: BranchCalendar, rows: PolicyMatrix) -> Loan:
    category = random.choice(CATEGORIES)
    due_on = TODAY + timedelta(days=random.choice((-9, -3, 2, 6, 12, 14)))
    row = rows.pick("adult", category, branch.kind)
    return Loan(
        id=f"l{number}",
        patron_id="p1",
        patron_category="adult",
        title_id=random.choice(("t1", "t2", "t3")),
        copy_id=f"c{number}",
        barcode=f"B{number}",
        copy_category=category,
        branch_code=branch.id,
        branch_kind=branch.kind,
        policy=row,
        borrowed_on=due_on - timedelta(days=14),
        due_on=due_on,
        renewals=random.randint(0, max(row.renewals_allowed - 1, 0)),
        claimed_returned_on=TODAY if random.random() < 0.05 else None,
        calendar_version=2,
        due_set_at_version=2,
    )


def fine_cents(loan: Loan, branch: BranchCalendar) -> int:
    """Return the fine of a loan that comes back today, day by day."""
    is_open = branch.now.is_open
    first = next_open(loan.due_on, is_open)
    if first is None:
        return 0
    found = overdue_days(
        first,
        TODAY,
        is_open=is_open,
        is_suspended=lambda _: False,
        rate=loan.policy.fine_per_day_cents,
        cap=loan.policy.fine_cap_cents,
    )
    return sum(cents for _, _, cents in found)


def least_cents(owed: int, works: Callable[[int], bool]) -> int | None:
    """Return the least payment with which it works; None if it does not work with all of it."""
    if not works(owed):
        return None
    low, high = 0, owed
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle + 1, high)
    return low


def cheapest(costs: Iterable[Cost]) -> list[Cost]:
    """Return the costs than which no other is less or equal in everything, sorted."""
    every = sorted(set(costs))
    return [
        cost
        for cost in every
        if not any(
            other != cost and all(a <= b for a, b in zip(other, cost, strict=True))
            for other in every
        )
    ]


def cost_of(way: refusals.WayOut) -> Cost:
    cents = items = days = holds = other = 0
    for step in way.steps:
        match step:
            case refusals.Pay():
                cents = step.cents
            case refusals.Return():
                items = step.items
                assert len(step.loan_ids) == items
            case refusals.Wait():
                days = (step.until - TODAY).days
            case refusals.CancelHolds():
                holds = step.holds
                assert len(step.hold_ids) == holds
            case refusals.ChooseCopy() | refusals.ChooseBranch():
                other += 1
            case _:
                raise AssertionError(way)
    return cents, items, days, holds, other


def check(ways: tuple[refusals.WayOut, ...], costs: Iterable[Cost]) -> bool:
    """Compare the ways with the cheapest of all; return whether there is one."""
    best = cheapest(costs)
    if not best:
        assert ways == refusals.ASK_STAFF
        return False
    assert [cost_of(way) for way in ways] == best[:MOST_WAYS]
    return True


def is_done(act: Callable[[], object]) -> bool:
    try:
        act()
    except refusals.Refusal:
        return False
    return True


def refused_loans(seed: int, wanted: int) -> Iterator[bool]:
    """Check this many refused check-outs; yield for each whether there is a way out."""
    random = Random(seed)
    while wanted:
        rows, kind = policies(random), random.choice([*KINDS])
        branch = calendar(random, kind)
        loans = [loan(random, number, branch, rows) for number in range(random.randint(0, 5))]
        fines = {one.id: fine_cents(replace(one), branch) for one in loans}
        states = (*[CopyState.AVAILABLE] * 4, CopyState.ON_LOAN, CopyState.LOST)
        copy = Copy(
            "x", "t9", "X", random.choice(CATEGORIES), branch.id, state=random.choice(states)
        )
        free = [
            Copy(f"f{n}", "t9", f"F{n}", random.choice(CATEGORIES), branch.id)
            for n in range(random.choice((0, 0, 1, 2)))
        ]
        owed = random.choice((0, 0, 330, 1200))
        terms = LendingTerms(
            patron=Patron("p1", "adult", blocked=random.random() < 0.05),
            borrower=Borrower("p1", len(loans), 0, owed),
            branch=branch,
            policies=rows,
            copies={one.barcode: one for one in (copy, *free)},
            holds=(),
            on=TODAY,
            today=TODAY,
        )

        def works(copy: Copy, returned: tuple[Loan, ...], cents: int) -> bool:
            left = owed + sum(fines[one.id] for one in returned) - cents
            borrower = replace(terms.borrower, open_loans=len(loans) - len(returned))
            changed = replace(terms, borrower=replace(borrower, outstanding_cents=left))
            return lend_each(changed, [copy.barcode])[0].loan is not None

        if works(copy, (), 0):
            continue
        wanted -= 1
        own = OpenLoans(loans, {branch.id: branch}, ())
        costs: list[Cost] = []
        for other in (copy, *free):
            for count in range(len(loans) + 1):
                for returned in combinations(loans, count):
                    most = owed + sum(fines[one.id] for one in returned)
                    cents = least_cents(most, lambda paid: works(other, returned, paid))
                    if cents is not None:
                        costs.append((cents, count, 0, 0, int(other is not copy)))
        ways = ways_to_borrow(terms, copy, own, free)
        yield check(ways, costs)
        for way in ways if costs else ():
            back: tuple[Loan, ...] = ()
            cents, chosen = 0, copy
            for step in way.steps:
                match step:
                    case refusals.Return():
                        back = tuple(one for one in loans if one.id in step.loan_ids)
                    case refusals.Pay():
                        cents = step.cents
                    case refusals.ChooseCopy():
                        [chosen] = [one for one in free if one.barcode == step.barcode]
            assert works(chosen, back, cents)


def refused_renewals(seed: int, wanted: int) -> Iterator[bool]:
    """Check this many refused renewals; yield for each whether there is a way out."""
    random = Random(seed)
    while wanted:
        rows, kind = policies(random), random.choice([*KINDS])
        branch = calendar(random, kind)
        one = loan(random, 1, branch, rows)
        owed = random.choice((0, 0, 330, 1200))
        queue = [
            Waiting(
                Hold(
                    id="h",
                    patron_id="p2",
                    title_id=one.title_id,
                    pickup_branch=branch.id,
                    place=1,
                    placed_at=NOW,
                    expires_on=random.choice((None, TODAY + timedelta(days=random.randint(0, 9)))),
                ),
                Patron("p2", "adult"),
                0,
                branch.now,
            )
        ] * random.choice((0, 0, 1))
        facts = RenewalFacts(
            patron=Patron("p1", "adult", blocked=random.random() < 0.05),
            borrower=Borrower("p1", 1, 0, owed),
            calendars={branch.id: branch},
            copies={
                one.copy_id: Copy(
                    one.copy_id, one.title_id, one.barcode, one.copy_category, branch.id
                )
            },
            queues={one.title_id: queue},
            policies=rows,
            suspensions=(),
        )

        def works(days: int, cents: int) -> bool:
            present = current(one, branch)
            day = TODAY + timedelta(days=days)
            return is_done(lambda: renewed_by(present, facts, day, owed - cents))

        if works(0, 0):
            continue
        wanted -= 1
        due_on = branch.now.next_open(current(one, branch).loan.due_on) or TODAY
        costs: list[Cost] = []
        for days in range(max((due_on - TODAY).days, 0) + 1):
            cents = least_cents(owed, lambda paid: works(days, paid))
            if cents is not None:
                costs.append((cents, 0, days, 0, 0))
        ways = ways_to_renew(one, facts, TODAY, owed)
        yield check(ways, costs)
        for way in ways if costs else ():
            cents, _, days, _, _ = cost_of(way)
            assert works(days, cents)


def refused_holds(seed: int, wanted: int) -> Iterator[bool]:
    """Check this many refused holds; yield for each whether there is a way out."""
    random = Random(seed)
    while wanted:
        rows, kind = policies(random), random.choice([*KINDS])
        branch = calendar(random, kind)
        loans = [loan(random, number, branch, rows) for number in range(random.randint(0, 4))]
        of_title = [one for one in loans if one.title_id == "t1"]
        fines = sum(fine_cents(one, branch) for one in of_title)
        states = (HoldState.WAITING, HoldState.WAITING, HoldState.READY)
        holds = [
            Hold(
                id=f"h{number}",
                patron_id="p1",
                title_id=f"t{number + 5}",
                pickup_branch=branch.id,
                place=1,
                placed_at=NOW - number * DAY,
                state=random.choice(states),
            )
            for number in range(random.randint(0, 4))
        ]
        owed = random.choice((0, 0, 330, 1200))
        terms = PlacingTerms(
            command=PlaceHold("p1", branch.id, None, TODAY, "t1"),
            target=Target("t1"),
            place=1,
            at=NOW,
            patron=Patron("p1", "adult", blocked=random.random() < 0.05),
            borrower=Borrower("p1", len(loans), len(holds), owed),
            branch_kind=kind,
            categories=frozenset(random.sample(CATEGORIES, random.randint(0, 2))),
            policies=rows,
            holds_title=False,
            on_loan=frozenset(one.barcode for one in of_title),
        )

        def works(at: str, back: bool, cancelled: int, cents: int) -> bool:
            borrower = replace(
                terms.borrower,
                open_holds=len(holds) - cancelled,
                outstanding_cents=owed + back * fines - cents,
            )
            on_loan = frozenset() if back else terms.on_loan
            changed = replace(terms, branch_kind=at, borrower=borrower, on_loan=on_loan)
            return is_done(lambda: new_hold(changed))

        if works(kind, False, 0, 0):
            continue
        wanted -= 1
        costs: list[Cost] = []
        for at in KINDS:
            for back in {False, bool(of_title)}:
                for cancelled in range(len(holds) + 1):
                    cents = least_cents(
                        owed + back * fines, lambda paid: works(at, back, cancelled, paid)
                    )
                    if cents is not None:
                        items = len(of_title) if back else 0
                        costs.append((cents, items, 0, cancelled, int(at != kind)))
        own = OpenLoans(loans, {branch.id: branch}, ())
        ways = ways_to_reserve(terms, own, holds, KINDS)
        yield check(ways, costs)
        for way in ways if costs else ():
            cents, items, _, cancelled, elsewhere = cost_of(way)
            at = next(one for one in KINDS if (one != kind) == bool(elsewhere))
            assert works(at, bool(items), cancelled, cents)


def test_each_way_out_of_400_refused_loans_works_and_nothing_cheaper_does() -> None:
    assert 200 < sum(refused_loans(1, 400)) < 400


def test_each_way_out_of_300_refused_renewals_works_and_nothing_cheaper_does() -> None:
    assert 60 < sum(refused_renewals(2, 300)) < 300


def test_each_way_out_of_300_refused_holds_works_and_nothing_cheaper_does() -> None:
    assert 200 < sum(refused_holds(3, 300)) < 300


async def test_the_first_ways_out_of_fifty_refusals_are_carried_out(desk: Desk) -> None:
    random = Random(4)
    await set_policy(desk, max_loans=3, max_holds=2, block_over_cents=300, fine_per_day_cents=150)
    done = 0
    for number in range(400):
        reader = Reader(desk, random, await patron_of(desk, number))
        await reader.begin()
        act = random.choice((reader.borrow, reader.renew, reader.reserve))
        ways = await act(TODAY)
        if not ways or ways[0]["steps"][0]["do"] == "ask":
            continue
        day = TODAY
        for step in ways[0]["steps"]:
            assert await act(day), "it works without the last step"
            day = await reader.carry_out(step, day)
        assert not await act(day), ways
        done += 1
        if done == 50:
            return
    raise AssertionError(f"only {done} refusals")


async def patron_of(desk: Desk, number: int) -> str:
    patron_id = f"r{number}"
    await desk.patron(patron_id)
    return patron_id


class Reader:
    """A reader with random loans, holds and debts, who borrows, renews or reserves one thing."""

    def __init__(self, desk: Desk, random: Random, patron_id: str) -> None:
        self.desk, self.random, self.id = desk, random, patron_id
        self.barcode = ""
        self.loans: dict[str, str] = {}

    async def begin(self) -> None:
        days = self.random.choices((2, 9, 16, 18), k=self.random.choice((1, 3, 3)))
        self.wanted = await self.desk.copies(2)
        self.barcode = self.wanted[0]
        for days_ago in days:
            loan = await self.desk.loan(str(TODAY - timedelta(days=days_ago)), to=self.id)
            self.loans[loan["id"]] = loan["barcode"]
        if self.random.random() < 0.5:
            loan_id = self.random.choice([*self.loans])
            await self.desk.take_back(self.loans.pop(loan_id), on=str(TODAY))
        if self.random.random() < 0.2:
            await self.desk.patron("other")
            await self.desk.lend(self.barcode, to="other", on=str(TODAY))
        for _ in range(self.random.choice((0, 2))):
            await self._place((await self.desk.copies(1))[0], TODAY - 3 * DAY)
        found = await self.desk.api.get(f"/v1/copies/{self.barcode}", as_=STAFF)
        self.title_id = found.json()["title_id"]
        if self.loans and self.random.random() < 0.2:
            found = await self.desk.api.get(
                f"/v1/copies/{next(iter(self.loans.values()))}", as_=STAFF
            )
            self.title_id = found.json()["title_id"]
        self.loan_id = next(iter(self.loans), "")

    async def borrow(self, on: date) -> list[dict[str, Any]] | None:
        [result] = await self.desk.lend(self.barcode, to=self.id, on=str(on))
        return None if result["ok"] else result["problem"]["ways_out"]

    async def renew(self, on: date) -> list[dict[str, Any]] | None:
        path = f"/v1/loans/{self.loan_id or 'none'}/renewals"
        answer = await self.desk.api.insist("POST", path, as_=token(self.id), at=noon(str(on)))
        return None if answer.status == 200 else answer.json().get("ways_out", [])

    async def reserve(self, on: date) -> list[dict[str, Any]] | None:
        answer = await self._place_title(self.title_id, on)
        return None if answer.status == 201 else answer.json().get("ways_out", [])

    async def _place(self, barcode: str, on: date) -> None:
        found = await self.desk.api.get(f"/v1/copies/{barcode}", as_=STAFF)
        await self._place_title(found.json()["title_id"], on)

    async def _place_title(self, title_id: str, on: date) -> Answer:
        body = {"title_id": title_id, "pickup_branch": "HKCL"}
        return await self.desk.api.insist(
            "POST", "/v1/holds", body, as_=token(self.id), at=noon(str(on))
        )

    async def carry_out(self, step: dict[str, Any], on: date) -> date:
        """Take a step; return the day after it."""
        match step["do"]:
            case "return":
                barcodes = [self.loans[loan_id] for loan_id in step["loan_ids"]]
                await self.desk.take_back(*barcodes, on=str(on))
            case "pay":
                if step["cents"] > 1:
                    await pay(self.desk, step["cents"] - 1, str(on), self.id)
                await pay(self.desk, 1, str(on), self.id)
            case "cancel-holds":
                for hold_id in step["hold_ids"]:
                    await self.desk.api.insist(
                        "DELETE", f"/v1/holds/{hold_id}", as_=token(self.id), at=noon(str(on))
                    )
            case "choose-copy":
                self.barcode = step["barcode"]
            case "wait":
                return date.fromisoformat(step["until"])
            case other:
                raise AssertionError(other)
        return on
