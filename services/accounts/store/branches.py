"""Branches, of which accounts knows only that they exist."""

from collections.abc import Collection

from services.accounts.domain.branch import Branch
from shared.mongo import Indexes
from shared.unit_of_work import Work

BRANCHES = "branches"
INDEXES: Indexes = {BRANCHES: []}


def note(work: Work, branch: Branch) -> None:
    """Store that a branch exists, unless this is known."""
    work.save_if_newer(BRANCHES, branch)


def unknown(work: Work, codes: Collection[str]) -> set[str]:
    """Return those of these codes that no branch has, as far as accounts knows."""
    query = {"_id": {"$in": sorted(codes)}}
    return set(codes) - set(work.distinct(BRANCHES, "_id", query))
