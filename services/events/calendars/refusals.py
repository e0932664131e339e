"""Refusals about branches."""

from collections.abc import Iterable

from services.events.refusal import Refusal


class NoSuchBranch(Refusal):
    """A library that events does not know, or not yet; `branches` names the codes."""

    code = "no-such-branch"
    status = 404
    reason = "There is no such library."

    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__(branches=", ".join(sorted(codes)))
