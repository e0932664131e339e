"""Put a policy row in force, as a new version."""

from dataclasses import dataclass, replace

from services.circulation import store
from services.circulation.domain.policy import Policy, policy_change
from shared.unit_of_work import Work


@dataclass(frozen=True)
class SetPolicy:
    """Command to set a whole policy row, with author and reason; the row's version is ignored."""

    row: Policy
    by: str
    reason: str


def set_policy(work: Work, command: SetPolicy) -> Policy:
    """Set the row; return it with its version. A row that is the same already stays as it is.

    Loans that were made keep the version of their day. Raises PolicyTaken or PolicyNeeded.
    """
    matrix = store.policies.matrix(work)
    present = matrix.named(command.row.id)
    if present is not None and present == replace(command.row, version=present.version):
        return present
    matrix.check_set(command.row)
    version = store.policies.last_version(work, command.row.id) + 1
    row = replace(command.row, version=version)
    change = policy_change(row.id, version, row, by=command.by, at=work.now, reason=command.reason)
    store.policies.change(work, change)
    return row
