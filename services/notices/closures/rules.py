"""A closure as staff record it: one reason and one first day, for any number of branches.

Its end and its withdrawal are announced for each branch, and stored with the branch.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from services.notices.branches.refusals import NotInClosure
from services.notices.branches.rules.branch import Branch, BranchClosure, Withdrawal


@dataclass(frozen=True)
class Closure:
    """A span in which some branches are closed."""

    id: str
    starts_on: date
    reason: str
    branches: tuple[str, ...]
    """Codes of the covered branches, sorted."""
    kinds: tuple[str, ...]
    """Kinds by which branches were named."""
    extra_renewals: int | None
    """Number of extra renewals that it grants while it lasts."""
    recorded_at: datetime
    version: int = 1


@dataclass(frozen=True)
class CoveredBranch:
    """A branch under a closure."""

    branch: str
    name: str
    kind: str
    reopened_on: date | None
    withdrawn: Withdrawal | None
    names: Mapping[str, str]
    """Its name in other languages, by language."""

    def name_in(self, language: str) -> str:
        """Return its name in a language, or else the first name."""
        return self.names.get(language, self.name)


@dataclass(frozen=True)
class ClosureState:
    """A closure with the announced end of each branch."""

    closure: Closure
    covered: tuple[CoveredBranch, ...]

    @property
    def reopened_on(self) -> date | None:
        """The day on which all its branches are open again; None while one has no end."""
        ends = [branch.reopened_on for branch in self.covered]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None

    @property
    def withdrawn(self) -> bool:
        """True if it was withdrawn for all its branches."""
        return all(branch.withdrawn for branch in self.covered)


def state_of(closure: Closure, branches: Iterable[Branch]) -> ClosureState:
    """Return the closure's state, with the end that each of `branches` has for it."""
    covered = []
    for branch in sorted(branches, key=lambda b: b.id):
        here = branch.closure(closure.id)
        if here is not None:
            covered.append(
                CoveredBranch(
                    branch.id,
                    branch.name,
                    branch.kind,
                    here.now.reopened_on,
                    here.now.withdrawn,
                    branch.names,
                )
            )
    return ClosureState(closure, tuple(covered))


def amended(closure: Closure, starts_on: date | None, reason: str | None) -> Closure:
    """Return the closure with another first day or reason; None leaves the value."""
    return replace(
        closure,
        starts_on=starts_on or closure.starts_on,
        reason=reason or closure.reason,
        version=closure.version + 1,
    )


def concerned(
    closure: Closure,
    covered: Iterable[Branch],
    codes: frozenset[str],
    kinds: frozenset[str],
    stands: Callable[[BranchClosure], bool],
) -> list[Branch]:
    """Return the covered branches that a change of the closure applies to.

    These are the branches named by code, whatever their state, so that a date can be corrected
    later. Of the branches named by kind, or of all if neither is given, they are those for which
    `stands` is true. Raises NotInClosure.
    """
    if strangers := codes - set(closure.branches):
        raise NotInClosure(branches=sorted(strangers))
    chosen = []
    for branch in covered:
        here = branch.closure(closure.id)
        if here is None:
            continue
        by_kind = branch.kind in kinds or not (codes or kinds)
        if branch.id in codes or (by_kind and stands(here)):
            chosen.append(branch)
    return chosen
