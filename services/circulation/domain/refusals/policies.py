"""Refusals about policy rows."""

from services.circulation.domain.refusals.refusal import Refusal


class NoSuchPolicy(Refusal):
    """No policy row in force has this id."""

    code = "no-such-policy"
    status = 404
    says = "There is no such policy."


class PolicyTaken(Refusal):
    """Another row is for the same patrons, copies and branches."""

    code = "policy-taken"
    says = "The policy {other} is for the same patrons, items and libraries. Change that one."


class PolicyNeeded(Refusal):
    """A change after which some loan would have no policy row."""

    code = "policy-needed"
    says = "You can't make this change: one policy must apply to any patron, item and library."
