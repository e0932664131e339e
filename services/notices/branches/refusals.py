"""Refusals about branches, their hours and their calendars."""

from collections.abc import Iterable

from services.notices.refusals import Refusal


def listed(codes: Iterable[str]) -> str:
    """Return codes as a list in a sentence, in alphabetical order."""
    return ", ".join(sorted(codes))


class NoSuchBranch(Refusal):
    """The branch code is not registered."""

    code = "no-such-branch"
    status = 404

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(f"No library has the code {listed(named)}.", branches=named)


class BranchExists(Refusal):
    """The branch code is taken."""

    code = "branch-exists"

    def __init__(self, code: str) -> None:
        super().__init__(f"A library with the code {code} is registered already.")


class BadHours(Refusal):
    """Opening hours end before they begin, or overlap."""

    code = "bad-hours"
    status = 422


class NoSuchService(Refusal):
    """The service has no hours of its own."""

    code = "no-such-service"
    status = 404

    def __init__(self) -> None:
        super().__init__("This service of the library has no hours of its own.")


class BadPeriod(Refusal):
    """The period ends before it starts, or has a day in common with another one."""

    code = "bad-period"
    status = 422

    def __init__(self) -> None:
        super().__init__("A period has to end after it starts, and two of them share no day.")


class NoSuchPeriod(Refusal):
    """No period of the service starts on the day."""

    code = "no-such-period"
    status = 404

    def __init__(self) -> None:
        super().__init__("No period of this service starts on that day.")


class TooManyPeriods(Refusal):
    """The service has as many periods as it may have."""

    code = "too-many-periods"

    def __init__(self) -> None:
        super().__init__("This service has too many periods. Remove past ones first.")


class NoBranchCovered(Refusal):
    """The scope covers no branch."""

    code = "no-branch-covered"

    def __init__(self) -> None:
        super().__init__("No library matches your selection.")


class ClosedAlready(Refusal):
    """The closure is recorded already, for the same days and the same reason."""

    code = "closed-already"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(f"This closure is recorded already for {listed(named)}.", branches=named)


class ClosureWithdrawn(Refusal):
    """A withdrawn closure cannot be changed."""

    code = "closure-withdrawn"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(
            f"This closure was withdrawn for {listed(named)}. Record a new one.", branches=named
        )


class ClosureOver(Refusal):
    """The closure to withdraw has ended, and was no error."""

    code = "closure-over"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(
            f"This closure has ended for {listed(named)}. Only as recorded in error can it still "
            "be withdrawn.",
            branches=named,
        )


class ReopenedAlready(Refusal):
    """The reopening to cancel has happened already."""

    code = "reopened-already"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(
            f"These have reopened already: {listed(named)}. Record a new closure.",
            branches=named,
        )


class NeverClosed(Refusal):
    """The closure would end on or before its first day."""

    code = "reopened-before-closed"

    def __init__(self) -> None:
        super().__init__("The reopening day must be after the first closed day.")


class NotInClosure(Refusal):
    """The closure does not cover the branch."""

    code = "not-in-closure"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(f"This closure does not cover {listed(named)}.", branches=named)
