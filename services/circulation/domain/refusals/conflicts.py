"""Refusals about conflicts of offline check-outs."""

from services.circulation.domain.refusals.refusal import Refusal


class NoSuchConflict(Refusal):
    """There is no such conflict."""

    code = "no-such-conflict"
    status = 404
    says = "There is no such conflict."


class ConflictResolved(Refusal):
    """The staff have settled the conflict."""

    code = "conflict-resolved"
    says = "This conflict has been settled already."
