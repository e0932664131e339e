"""Common parts of all changes of a recorded closure: load it, store and publish its branches."""

from collections.abc import Callable, Iterable

from services.notices import store
from services.notices.domain.branch import Branch
from services.notices.domain.closure import Closure, ClosureState, state_of
from services.notices.domain.refusals import NoSuchClosure
from shared.contracts import Event
from shared.unit_of_work import Work


def closure_and_branches(work: Work, closure_id: str) -> tuple[Closure, list[Branch]]:
    """Return the closure and the branches that it covers. Raises NoSuchClosure."""
    closure = store.closures.get(work, closure_id)
    if closure is None:
        raise NoSuchClosure
    return closure, store.branches.some(work, closure.branches)


def carry_out(
    work: Work,
    closure: Closure,
    covered: Iterable[Branch],
    changed: Iterable[Branch],
    event_of: Callable[[Branch], Event],
) -> ClosureState:
    """Store and publish the changed branches; return the closure's state.

    Branches that are the same as before are skipped.
    """
    branches = {branch.id: branch for branch in covered}
    for branch in changed:
        if branch is branches[branch.id]:
            continue
        branches[branch.id] = branch
        store.branches.save(work, branch)
        work.record(event_of(branch))
    return state_of(closure, branches.values())
