"""Refusals about branches."""

from services.circulation.domain.refusals.refusal import Refusal


class NoSuchBranch(Refusal):
    """No branch that circulation knows has this code."""

    code = "unknown-branch"
    status = 404
    says = "No library has the code {branch}."
