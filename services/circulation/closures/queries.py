"""Previews of changed calendars, suspensions and policies."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from services.circulation.calendars import store as calendars_store
from services.circulation.charges import store as charges_store
from services.circulation.closures import store
from services.circulation.holds import store as holds_store
from services.circulation.loans.store import loans as loans_store
from services.circulation.policies import store as policies_store
from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.charge import Charge
from services.circulation.rules.effect import Concerned, Effect, World, effect
from services.circulation.rules.policy import Policy, PolicyMatrix
from services.circulation.rules.policy_effect import PolicyEffect, policy_effect
from services.circulation.rules.suspension import FineSuspension, ends_as_announced
from services.circulation.rules.sweep import newly_closed
from shared.mongo import Database


async def borrowing_patrons(
    db: Database, suspension_id: str, limit: int, after: str | None, today: date
) -> dict[str, set[str]] | None:
    """Return up to `limit` + 1 patrons that a suspension concerns; None: no such suspension.

    The result maps each patron's id to the codes of the branches in the suspension's scope that the
    patron has open loans from. It leaves out branches whose fines another suspension keeps free for
    longer.
    """
    suspensions = await calendars_store.find_suspensions(db)
    suspension = next((one for one in suspensions if one.id == suspension_id), None)
    if suspension is None:
        return None

    concerned = _concerned(suspension, suspensions, today)
    return await store.find_borrowing_patrons(db, suspension, limit + 1, after, concerned)


def _concerned(
    suspension: FineSuspension, suspensions: Sequence[FineSuspension], today: date
) -> Callable[[str, str], bool]:
    """Return whether those with loans of a branch in scope, by code and kind, are notified."""

    @cache
    def concerned(branch_code: str, branch_kind: str) -> bool:
        return ends_as_announced(suspension, suspensions, branch_code, branch_kind, today)

    return concerned


@dataclass(frozen=True)
class SuspensionEffect:
    """The effect of a change to a fine suspension."""

    effect: Effect
    patrons_notified: int
    """Number of patrons who are notified: see `borrowing_patrons`."""


async def effect_of_calendars(
    db: Database, calendars: Collection[BranchCalendar], as_of: date
) -> Effect:
    """Compute the effect on loans and fines if branches had these calendars."""
    before = await _world(db)
    # A branch that circulation does not know has no loans.
    known = [calendar for calendar in calendars if calendar.id in before.calendars]
    fines: list[Charge] = []
    for calendar in known:
        span = newly_closed(calendar, since=before.calendars[calendar.id].version)
        if span:
            fines += [f async for f in charges_store.find_fines_over(db, {calendar.id}, *span)]
    loans = await store.find_alike(db, {calendar.id for calendar in known})
    shelved = [hold for one in known async for hold in holds_store.on_shelf(db, one.id)]
    concerned = Concerned(loans, fines, shelved)
    return effect(concerned, before, before.with_calendars(known), as_of)


async def effect_of_suspension(
    db: Database, suspension: FineSuspension, as_of: date, *, is_announced: bool
) -> SuspensionEffect:
    """Compute the effect on fines if this suspension, new or amended, were in force.

    Nobody is notified of a change that is not announced, because it changes nothing.
    """
    before = await _world(db)
    codes = {
        code for code, branch in before.calendars.items() if suspension.concerns(code, branch.kind)
    }
    fines = [
        fine
        async for fine in charges_store.find_fines_over(
            db, codes, suspension.first, suspension.last
        )
    ]
    loans = await store.find_alike(db, codes)
    after = before.with_suspension(suspension)
    concerned = _concerned(suspension, after.suspensions, as_of)
    told = {code for code in codes if concerned(code, before.calendars[code].kind)}
    patrons = await store.find_borrowers(db, told) if is_announced else 0
    return SuspensionEffect(effect(Concerned(loans, fines), before, after, as_of), patrons)


DAYS_LOOKED_AT = 30
MOST_LOOKED_AT = 1000
"""Number of loans that a preview of a policy examines, which takes less than a second."""


async def effect_of_policy(
    db: Database, policy_id: str, row: Policy | None, as_of: date
) -> tuple[PolicyEffect, bool]:
    """Compute what a changed or deleted row would have done to the loans of the last days.

    The second value is True if all such loans that are stored were examined. Raises the refusals
    of the change.
    """
    before = PolicyMatrix(await policies_store.find(db))
    after = before.with_row(policy_id, row)
    lent = loans_store.find_lent(db, as_of, DAYS_LOOKED_AT, MOST_LOOKED_AT)
    world, (loans, complete) = await asyncio.gather(_world(db), lent)
    found = await asyncio.to_thread(policy_effect, loans, before, after, world, as_of)
    return found, complete


async def _world(db: Database) -> World:
    return World(await calendars_store.find(db), await calendars_store.find_suspensions(db))
