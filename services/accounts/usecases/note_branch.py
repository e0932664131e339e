"""Note that a branch exists."""

from services.accounts import store
from services.accounts.domain.branch import Branch
from shared.contracts.notices import BranchSnapshot
from shared.unit_of_work import Work


def note_branch(work: Work, event: BranchSnapshot) -> None:
    """Store the branch, so that commands can name it."""
    store.branches.note(work, Branch(event.branch, event.version))
