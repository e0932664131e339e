"""The policy rows in force, and the history of their versions."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from pymongo import ASCENDING, IndexModel

from services.circulation.rules.policy import (
    HONG_KONG,
    Policy,
    PolicyChange,
    PolicyMatrix,
    policy_change,
)
from services.circulation.rules.terms import OptionalTerms
from shared import reading
from shared.declared_indexes import Indexes
from shared.ids import new_id
from shared.mongo import Database, Document, from_document, leave_out_defaults
from shared.reads import Read
from shared.unit_of_work import Work

leave_out_defaults(Policy, (field.name for field in fields(OptionalTerms)))

INDEXES: Indexes = {
    "policies": [],
    "policy_changes": [IndexModel([("policy_id", ASCENDING), ("_id", ASCENDING)])],
    "policy_editions": [],
}


@dataclass(frozen=True)
class _Edition:
    """The state of all policy rows that is in force."""

    id: str
    version: int
    stamp: str
    """Unique id of this state, also across databases; the key of the process's cache."""


_CURRENT = "current"
_kept: dict[str, PolicyMatrix] = {}
"""Cache of the last rows read, keyed by the stamp of their edition: rows are many and change
rarely."""


def matrix(work: Work) -> PolicyMatrix:
    """Return the policy rows in force. The first call stores the default rows.

    One small document names the edition in force; the rows are read only if the process has not
    cached that edition. The edition is read in the transaction, so no loan is made under outdated
    rows.
    """
    return _in_force(work, work.find(_Edition, "policy_editions", {"_id": _CURRENT}))


EDITION = Read("policy_editions", {"_id": _CURRENT})
"""The read with which other reads find the edition in force; see `of_editions`."""


def of_editions(work: Work, found: Sequence[Document]) -> PolicyMatrix:
    """Return the policy rows in force like `matrix`, from what EDITION found."""
    return _in_force(work, from_document(_Edition, found[0]) if found else None)


def _in_force(work: Work, edition: _Edition | None) -> PolicyMatrix:
    if edition is None:
        return _first(work)
    kept = _kept.get(edition.stamp)
    if kept is None:
        kept = PolicyMatrix(work.all(Policy, "policies", {}))
        _kept.clear()
        _kept[edition.stamp] = kept
    return kept


def _first(work: Work) -> PolicyMatrix:
    work.add("policy_editions", _Edition(_CURRENT, 1, new_id()))
    found = work.all(Policy, "policies", {})  # stored by a release without a history
    rows = found or HONG_KONG.rows
    if not found:
        work.add("policies", *rows)
    began = "In force when this history began."
    changes = (
        policy_change(row.id, row.version, row, by="carrel", at=work.now, reason=began)
        for row in rows
    )
    work.add("policy_changes", *changes)
    return PolicyMatrix(rows)


def last_version(work: Work, policy_id: str) -> int:
    """Return the highest version a row of this id ever had, deletions included; 0 if none."""
    last = work.all(
        PolicyChange, "policy_changes", {"policy_id": policy_id}, sort=[("_id", -1)], limit=1
    )
    return last[0].version if last else 0


def change(work: Work, change: PolicyChange) -> None:
    """Put a row in force or delete it, and store the change. Concurrent changes are retried."""
    edition = work.find(_Edition, "policy_editions", {"_id": _CURRENT})
    if edition is None:
        raise ValueError("the rows are read before one is changed")
    following = replace(edition, version=edition.version + 1, stamp=new_id())
    work.save("policy_editions", following)
    work.delete("policies", {"_id": change.policy_id})
    if change.row is not None:
        work.add("policies", change.row)
    work.add("policy_changes", change)


async def find(db: Database) -> list[Policy]:
    """Return the policy rows in force, in the order of their ids."""
    rows = await reading.every(db, Policy, "policies", {})
    return sorted(rows or HONG_KONG.rows, key=lambda row: row.id)


async def find_changes(
    db: Database, policy_id: str, limit: int, after: str | None
) -> list[PolicyChange]:
    """Return up to `limit` + 1 of the versions of a row, oldest first, deletions included."""
    return await reading.page(
        db, PolicyChange, "policy_changes", {"policy_id": policy_id}, limit=limit, after=after
    )
