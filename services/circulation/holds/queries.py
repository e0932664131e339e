"""Reads about holds that several collections answer."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.experience import store as experience_store
from services.circulation.holds import store
from services.circulation.policies import store as policies_store
from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import Hold
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
MORE_COPIES = 20
"""Copies that are looked at beyond one for each hold."""


async def likely_ready(
    db: Database, holds: Sequence[Hold], positions: Mapping[str, int], on: date
) -> dict[str, date]:
    """Return the days by which the waiting holds are likely ready, keyed by hold id.

    Holds are left out that are frozen or too far behind, or of whose copies too little is known.
    `positions` has their positions in the queue.
    """
    waiting = [
        hold for hold in holds if positions.get(hold.id, FURTHEST) < FURTHEST and not hold.frozen
    ]
    known = await experience_store.find(db, on) if waiting else {}
    if not any(experience.is_enough for experience in known.values()):
        return {}
    policies = PolicyMatrix(await policies_store.find(db))
    found = {}
    for hold in waiting:
        ahead = positions[hold.id] - 1
        copies = await catalogue_store.find_lent(db, hold.target)
        experience = known.get(copies[0].category) if copies else None
        if experience is None or not experience.is_enough:
            continue
        title = await _title(db, hold, copies, policies, on)
        if title is None:
            continue
        title = replace(title, copies=title.copies[: ahead + MORE_COPIES])
        day = await asyncio.to_thread(likely_ready_by, title, ahead, on, experience)
        if day is not None:
            found[hold.id] = day
    return found


async def _title(
    db: Database,
    hold: Hold,
    copies: Sequence[Copy],
    policies: PolicyMatrix,
    on: date,
) -> Title | None:
    """Return what a hold waits for; None if its pick-up branch is not known."""
    loans = await store.find_loans_of_copies(db, [copy.id for copy in copies])
    served = await store.find_some(db, [copy.hold_id for copy in copies if copy.hold_id])
    branches = {loan.branch_code for loan in loans} or {copies[0].branch_code}
    calendars = await calendars_store.find(db, {*branches, hold.pickup_branch})
    pickup: BranchCalendar | None = calendars.get(hold.pickup_branch)
    if pickup is None:
        return None
    lending = calendars.get(min(branches), pickup)
    policy = policies.pick("", copies[0].category, pickup.kind)
    kept: list[OnHold | OnLoan] = [OnHold(other.ready_on or on) for other in served.values()]
    on_loan = [
        OnLoan(loan.borrowed_on, loan.due_on)
        for loan in sorted(loans, key=lambda loan: (loan.due_on, loan.id))
    ]
    travelling = sum(copy.branch_code != hold.pickup_branch for copy in copies)
    return Title(
        copies=[*kept, *on_loan],
        loan_days=policy.loan_days,
        shelf_days=policy.hold_shelf_days,
        lending=lending.now,
        pickup=pickup.now,
        travels=2 * travelling > len(copies),
    )
