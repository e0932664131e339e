"""Reads about holds that several collections answer."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.experience import store as experience_store
from services.circulation.holds import store
from services.circulation.policies import store as policies_store
from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import Hold, Target
from services.circulation.rules.loan import Loan
from services.circulation.rules.policy import PolicyMatrix
from services.circulation.rules.ready_date import (
    OnHold,
    OnLoan,
    Title,
    likely_ready_by,
)
from shared.mongo import Database

FURTHEST = 100
"""Position in the queue after which nothing is said."""
FURTHEST_NEW = 20
"""Waiting holds after which nothing is said of a new one: a page of results asks for many."""
MORE_COPIES = 20
"""Copies that are looked at beyond one for each hold."""


async def likely_ready(
    db: Database, holds: Sequence[Hold], positions: Mapping[str, int], on: date
) -> dict[str, date]:
    """Return the days by which the waiting holds are likely ready, keyed by hold id.

    Holds are left out that are frozen or too far behind, or of whose copies too little is known.
    `positions` has their positions in the queue.
    """
    waits = {
        hold.id: _Wait(hold.target, hold.pickup_branch, positions[hold.id] - 1)
        for hold in holds
        if positions.get(hold.id, FURTHEST) < FURTHEST and not hold.frozen
    }
    return await _likely(db, waits, on)


async def likely_if_placed(
    db: Database, title_ids: Collection[str], pickup_branch: str, on: date
) -> dict[str, date]:
    """Return the days by which holds that are placed now are likely ready, keyed by title id.

    Titles are left out of which a copy is free, or for which more than FURTHEST_NEW readers wait,
    or of which too little is known. Without a pick-up branch, it is that of the title's own copy.
    """
    free = await catalogue_store.with_free_copies(db, title_ids)
    taken = sorted({*title_ids} - {*free})
    queued = await store.count_waiting(db, taken)
    waits = {
        title_id: _Wait(Target(title_id), pickup_branch, queued.get(title_id, 0))
        for title_id in taken
        if queued.get(title_id, 0) <= FURTHEST_NEW
    }
    return await _likely(db, waits, on)


@dataclass(frozen=True)
class _Wait:
    target: Target
    pickup_branch: str
    ahead: int


async def _likely(db: Database, waits: Mapping[str, _Wait], on: date) -> dict[str, date]:
    """Return the likely days of some waits, by their keys, with the same few reads for all."""
    known = await experience_store.find(db, on) if waits else {}
    if not any(experience.is_enough for experience in known.values()):
        return {}
    lent = await catalogue_store.find_lent(db, {wait.target for wait in waits.values()})
    copies = [copy for some in lent.values() for copy in some]
    policies, loans, served = await asyncio.gather(
        policies_store.find(db),
        store.find_loans_of_copies(db, {copy.id for copy in copies}),
        store.find_some(db, sorted({copy.hold_id for copy in copies if copy.hold_id})),
    )
    branches = {wait.pickup_branch for wait in waits.values()}
    branches |= {loan.branch_code for loan in loans} | {copy.branch_code for copy in copies}
    calendars = await calendars_store.find(db, branches)
    facts = _Facts(PolicyMatrix(policies), calendars, {one.copy_id: one for one in loans}, served)
    found = {}
    for key, wait in waits.items():
        some = lent[wait.target]
        experience = known.get(some[0].category) if some else None
        title = facts.title(wait, some, on) if experience and experience.is_enough else None
        if title is None or experience is None:
            continue
        title = replace(title, copies=title.copies[: wait.ahead + MORE_COPIES])
        day = await asyncio.to_thread(likely_ready_by, title, wait.ahead, on, experience)
        if day is not None:
            found[key] = day
    return found


@dataclass(frozen=True)
class _Facts:
    policies: PolicyMatrix
    calendars: Mapping[str, BranchCalendar]
    loans: Mapping[str, Loan]
    """The open loans by copy id."""
    served: Mapping[str, Hold]
    """The holds that have a copy, by id."""

    def title(self, wait: _Wait, copies: Sequence[Copy], on: date) -> Title | None:
        """Return what a hold waits for; None if its pick-up branch is not known."""
        code = wait.pickup_branch or copies[0].branch_code
        pickup = self.calendars.get(code)
        if pickup is None:
            return None
        loans = [self.loans[copy.id] for copy in copies if copy.id in self.loans]
        branches = {loan.branch_code for loan in loans} or {copies[0].branch_code}
        policy = self.policies.pick("", copies[0].category, pickup.kind)
        kept: list[OnHold | OnLoan] = [
            OnHold(self.served[copy.hold_id].ready_on or on)
            for copy in copies
            if copy.hold_id and copy.hold_id in self.served
        ]
        on_loan = [
            OnLoan(loan.borrowed_on, loan.due_on)
            for loan in sorted(loans, key=lambda loan: (loan.due_on, loan.id))
        ]
        travelling = sum(copy.branch_code != code for copy in copies)
        return Title(
            copies=[*kept, *on_loan],
            loan_days=policy.loan_days,
            shelf_days=policy.hold_shelf_days,
            lending=self.calendars.get(min(branches), pickup).now,
            pickup=pickup.now,
            travels=2 * travelling > len(copies),
        )
