"""Take a policy row out of force."""

from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain.policy import PolicyChange, policy_change
from shared.unit_of_work import Work


@dataclass(frozen=True)
class DeletePolicy:
    """Command to delete a policy row: id of the row, author and reason."""

    policy_id: str
    by: str
    reason: str


def delete_policy(work: Work, command: DeletePolicy) -> PolicyChange:
    """Delete the row; return the recorded change.

    Raises NoSuchPolicy, or PolicyNeeded for the row for everyone.
    """
    matrix = store.policies.matrix(work)
    row = matrix.check_delete(command.policy_id)
    version = store.policies.last_version(work, row.id) + 1
    change = policy_change(row.id, version, None, by=command.by, at=work.now, reason=command.reason)
    store.policies.change(work, change)
    return change
