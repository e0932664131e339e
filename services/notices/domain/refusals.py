"""Refusals: what the rules of notices say no to. One class each, with a code and a reason."""

from collections.abc import Iterable
from typing import ClassVar


class Refusal(Exception):
    """A request that the rules refuse.

    `code` is for programs and never changes; `reason` is for people, in full sentences; `extra`
    is what the problem says besides, for programs.
    """

    code: ClassVar[str]

    def __init__(self, reason: str, **extra: object) -> None:
        self.reason = reason
        self.extra = extra
        super().__init__(reason)


def _listed(codes: Iterable[str]) -> str:
    return ", ".join(sorted(codes))


class NoSuchBranch(Refusal):
    """A branch code that is not registered."""

    code = "no-such-branch"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(f"No library has the code {_listed(named)}.", branches=named)


class BranchExists(Refusal):
    """A branch code that is taken."""

    code = "branch-exists"

    def __init__(self, code: str) -> None:
        super().__init__(f"A library with the code {code} is registered already.")


class BadHours(Refusal):
    """Opening hours that end before they begin, or overlap."""

    code = "bad-hours"


class NoBranchCovered(Refusal):
    """A scope that no branch is in."""

    code = "no-branch-covered"

    def __init__(self) -> None:
        super().__init__("No library is of the kinds that were named.")


class ClosedAlready(Refusal):
    """A closure that is recorded already, for the same days and the same reason."""

    code = "closed-already"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(f"This closure is recorded already for {_listed(named)}.", branches=named)


class ClosureWithdrawn(Refusal):
    """A change of a closure that was withdrawn."""

    code = "closure-withdrawn"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(
            f"This closure was withdrawn for {_listed(named)}. Record a new one.", branches=named
        )


class ClosureOver(Refusal):
    """The withdrawal of a closure that has ended, and was no error."""

    code = "closure-over"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(
            f"This closure has ended for {_listed(named)}. Only as recorded in error can it still "
            "be withdrawn.",
            branches=named,
        )


class ReopenedAlready(Refusal):
    """The taking back of a reopening that has come."""

    code = "reopened-already"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(
            f"These have reopened already: {_listed(named)}. Record a new closure.",
            branches=named,
        )


class NeverClosed(Refusal):
    """A closure that would end on or before the day on which it begins."""

    code = "reopened-before-closed"

    def __init__(self) -> None:
        super().__init__("The first open day has to be after the first closed day.")


class NoSuchClosure(Refusal):
    """An id that no closure has."""

    code = "no-such-closure"

    def __init__(self) -> None:
        super().__init__("There is no such closure.")


class NotInClosure(Refusal):
    """A reopening of a branch that the closure does not cover."""

    code = "not-in-closure"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(f"This closure does not cover {_listed(named)}.", branches=named)


class NothingToReopen(Refusal):
    """A reopening of branches that are open again, all of them."""

    code = "nothing-to-reopen"

    def __init__(self) -> None:
        super().__init__("All these libraries have reopened. Name those whose date is to change.")


class NothingToWithdraw(Refusal):
    """The withdrawal of a closure that has ended, or was withdrawn, for all these branches."""

    code = "nothing-to-withdraw"

    def __init__(self) -> None:
        super().__init__("This closure has ended or was withdrawn for all these libraries.")


class NoSuchNotification(Refusal):
    """A notification that is not in this patron's inbox."""

    code = "no-such-notification"

    def __init__(self) -> None:
        super().__init__("There is no such notification in your inbox.")


class BadCursor(Refusal):
    """A place in a list that this list did not give."""

    code = "bad-cursor"

    def __init__(self) -> None:
        super().__init__("The page asked for is not one that this list gave as its next.")
