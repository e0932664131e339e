"""Random histories of a branch, made by the rules of notices, for tests of due dates."""

import random
from datetime import UTC, date, datetime, timedelta

from services.notices.branches.events import hours_changed
from services.notices.branches.rules import branch as branch_rules
from services.notices.branches.rules.hours import Hours
from services.notices.refusals import Refusal
from shared.contracts.notices import BranchSnapshot

START = date(2020, 11, 1)


def history(chance: random.Random) -> list[branch_rules.Branch]:
    """Return each version of a branch: closed, reopened, amended, cancelled, withdrawn."""
    branch = branch_rules.register("X", "X", "central", hours(chance), START)
    versions = [branch]
    for step in range(chance.randint(4, 10)):
        at = datetime(2020, 11, 1 + step, 4, tzinfo=UTC)
        try:
            if branch.closures and chance.random() < 0.65:
                branch = changed(branch, chance, at)
            elif chance.random() < 0.15:
                from_ = START + timedelta(days=chance.randint(0, 90))
                branch = branch_rules.change_hours(branch, hours(chance), from_)
            else:
                first = START + timedelta(days=chance.randint(5, 90))
                end = first + timedelta(days=chance.randint(1, 40))
                reopened_on = chance.choice([None, end])
                branch = branch_rules.close(
                    branch, f"c{step}", first, reopened_on, "epidemic", at=at
                )
        except Refusal:
            continue
        if branch.version > versions[-1].version:
            versions.append(branch)
    return versions


def hours(chance: random.Random) -> tuple[Hours, ...]:
    """Return hours of a week with one closed day: Monday, Thursday or Sunday."""
    shut = chance.choice([7, 3, 6])
    return tuple(Hours(day, "09:00", "20:00") for day in range(7) if day != shut)


def changed(
    branch: branch_rules.Branch, chance: random.Random, at: datetime
) -> branch_rules.Branch:
    """Return the branch with one of its closures amended, reopened, cancelled or withdrawn."""
    closure = chance.choice(branch.closures)
    name, first = closure.closure_id, closure.now.starts_on
    match chance.randrange(8):
        case 0:
            later = first + timedelta(days=chance.randint(-5, 5))
            return branch_rules.amend(branch, name, starts_on=later, reason=None, at=at)
        case 1:
            return branch_rules.cancel_reopening(branch, name, at=at, today=at.date())
        case 2:
            return branch_rules.withdraw(branch, name, in_error=False, at=at, today=at.date())
        case 3 | 4:
            return branch_rules.withdraw(branch, name, in_error=True, at=at, today=at.date())
    terms = branch_rules.Terms(
        name,
        first + timedelta(days=chance.randint(0, 60)),
        hours=chance.choice([None, hours(chance)]),
        stagger_days=chance.choice([1, 1, 4]),
    )
    return branch_rules.reopen(branch, terms, at=at)


def snapshot(branch: branch_rules.Branch) -> BranchSnapshot:
    """Return the snapshot of the branch that notices publishes."""
    return hours_changed(branch)
