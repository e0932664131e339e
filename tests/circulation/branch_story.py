"""Random histories of a branch, made by the rules of notices, for tests of due dates."""

import random
from datetime import UTC, date, datetime, timedelta

from services.notices.domain import branch as notices
from services.notices.domain.hours import Hours
from services.notices.domain.refusals import Refusal
from services.notices.usecases.publish_branch import hours_changed
from shared.contracts.notices import BranchSnapshot

START = date(2020, 11, 1)


def history(chance: random.Random) -> list[notices.Branch]:
    """Return each version of a branch: closed, reopened, amended, cancelled, withdrawn."""
    branch = notices.register("X", "X", "central", hours(chance), START)
    versions = [branch]
    for step in range(chance.randint(4, 10)):
        at = datetime(2020, 11, 1 + step, 4, tzinfo=UTC)
        try:
            if branch.closures and chance.random() < 0.65:
                branch = changed(branch, chance, at)
            elif chance.random() < 0.15:
                from_ = START + timedelta(days=chance.randint(0, 90))
                branch = notices.change_hours(branch, hours(chance), from_)
            else:
                first = START + timedelta(days=chance.randint(5, 90))
                end = first + timedelta(days=chance.randint(1, 40))
                reopened_on = chance.choice([None, end])
                branch = notices.close(branch, f"c{step}", first, reopened_on, "epidemic", at=at)
        except Refusal:
            continue
        if branch.version > versions[-1].version:
            versions.append(branch)
    return versions


def hours(chance: random.Random) -> tuple[Hours, ...]:
    """Return hours of a week with one closed day: Monday, Thursday or Sunday."""
    shut = chance.choice([7, 3, 6])
    return tuple(Hours(day, "09:00", "20:00") for day in range(7) if day != shut)


def changed(branch: notices.Branch, chance: random.Random, at: datetime) -> notices.Branch:
    """Return the branch with one of its closures amended, reopened, cancelled or withdrawn."""
    closure = chance.choice(branch.closures)
    name, first = closure.closure_id, closure.now.starts_on
    match chance.randrange(8):
        case 0:
            later = first + timedelta(days=chance.randint(-5, 5))
            return notices.amend(branch, name, starts_on=later, reason=None, at=at)
        case 1:
            return notices.cancel_reopening(branch, name, at=at, today=at.date())
        case 2:
            return notices.withdraw(branch, name, in_error=False, at=at, today=at.date())
        case 3 | 4:
            return notices.withdraw(branch, name, in_error=True, at=at, today=at.date())
    terms = notices.Terms(
        name,
        first + timedelta(days=chance.randint(0, 60)),
        hours=chance.choice([None, hours(chance)]),
        stagger_days=chance.choice([1, 1, 4]),
    )
    return notices.reopen(branch, terms, at=at)


def snapshot(branch: notices.Branch) -> BranchSnapshot:
    """Return the snapshot of the branch that notices publishes."""
    return hours_changed(branch)
