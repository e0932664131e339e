"""Put policy rows in force, and take them out of force."""

from dataclasses import dataclass, replace

from services.circulation.policies import store
from services.circulation.rules.policy import Policy, PolicyChange, policy_change
from shared.unit_of_work import Work


@dataclass(frozen=True)
class SetPolicy:
    """Command to set a whole policy row, with author and reason; the row's version is ignored."""

    row: Policy
    by: str
    reason: str
    based_on: int | None = None
    """Version that the change is based on; 0: no row. None: the version does not matter."""


def set_policy(work: Work, command: SetPolicy) -> Policy:
    """Set the row; return it with its version. A row that is the same already stays as it is.

    Loans that were made keep the version of their day. Raises PolicyTaken, PolicyNeeded
    or PolicyChanged.
    """
    matrix = store.matrix(work)
    present = matrix.named(command.row.id)
    if present is not None and present == replace(command.row, version=present.version):
        return present
    matrix.check_version(command.row.id, command.based_on)
    matrix.check_set(command.row)
    version = store.last_version(work, command.row.id) + 1
    row = replace(command.row, version=version)
    change = policy_change(row.id, version, row, by=command.by, at=work.now, reason=command.reason)
    store.change(work, change)
    return row


@dataclass(frozen=True)
class DeletePolicy:
    """Command to delete a policy row: id of the row, author and reason."""

    policy_id: str
    by: str
    reason: str
    based_on: int | None = None
    """The same as in SetPolicy."""


def delete_policy(work: Work, command: DeletePolicy) -> PolicyChange:
    """Delete the row; return the recorded change.

    Raises NoSuchPolicy, PolicyChanged, or PolicyNeeded for the row for everyone.
    """
    matrix = store.matrix(work)
    matrix.check_version(command.policy_id, command.based_on)
    row = matrix.check_delete(command.policy_id)
    version = store.last_version(work, row.id) + 1
    change = policy_change(row.id, version, None, by=command.by, at=work.now, reason=command.reason)
    store.change(work, change)
    return change
