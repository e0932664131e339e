"""Refusals of the rules of notices: one class for each, with a code and a reason."""

from collections.abc import Iterable
from typing import ClassVar


class Refusal(Exception):
    """A request that the rules refuse.

    `code` is for programs and never changes. `reason` is for people, in full sentences. `extra` has
    further members of the problem, for programs.
    """

    code: ClassVar[str]
    status: ClassVar[int] = 409
    """HTTP status of the response."""

    def __init__(self, reason: str, **extra: object) -> None:
        self.reason = reason
        self.extra = extra
        super().__init__(reason)


def _listed(codes: Iterable[str]) -> str:
    return ", ".join(sorted(codes))


class NoSuchBranch(Refusal):
    """The branch code is not registered."""

    code = "no-such-branch"
    status = 404

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(f"No library has the code {_listed(named)}.", branches=named)


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
        super().__init__(f"This closure is recorded already for {_listed(named)}.", branches=named)


class ClosureWithdrawn(Refusal):
    """A withdrawn closure cannot be changed."""

    code = "closure-withdrawn"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(
            f"This closure was withdrawn for {_listed(named)}. Record a new one.", branches=named
        )


class ClosureOver(Refusal):
    """The closure to withdraw has ended, and was no error."""

    code = "closure-over"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(
            f"This closure has ended for {_listed(named)}. Only as recorded in error can it still "
            "be withdrawn.",
            branches=named,
        )


class ReopenedAlready(Refusal):
    """The reopening to cancel has happened already."""

    code = "reopened-already"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(
            f"These have reopened already: {_listed(named)}. Record a new closure.",
            branches=named,
        )


class NeverClosed(Refusal):
    """The closure would end on or before its first day."""

    code = "reopened-before-closed"

    def __init__(self) -> None:
        super().__init__("The reopening day must be after the first closed day.")


class NoSuchClosure(Refusal):
    """No closure has this id."""

    code = "no-such-closure"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such closure.")


class NotInClosure(Refusal):
    """The closure does not cover the branch."""

    code = "not-in-closure"

    def __init__(self, codes: Iterable[str]) -> None:
        named = sorted(codes)
        super().__init__(f"This closure does not cover {_listed(named)}.", branches=named)


class NothingToReopen(Refusal):
    """All branches to reopen are open again."""

    code = "nothing-to-reopen"

    def __init__(self) -> None:
        super().__init__(
            "All these libraries have reopened. Name those whose reopening day you want to change."
        )


class NothingToWithdraw(Refusal):
    """The closure has ended, or was withdrawn, for all these branches."""

    code = "nothing-to-withdraw"

    def __init__(self) -> None:
        super().__init__("This closure has ended or was withdrawn for all these libraries.")


class NoSuchDraft(Refusal):
    """The draft of a notice does not exist, or is published."""

    code = "no-such-draft"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such draft. It may be published already.")


class DraftChanged(Refusal):
    """Someone changed the draft of a notice after the librarian read it."""

    code = "draft-changed"

    def __init__(self, version: int) -> None:
        super().__init__(
            "Someone has changed this draft since you opened it. Read what is new, then save "
            "yours again.",
            version=version,
        )


class NoticeChanged(Refusal):
    """Someone changed the notice after the librarian read it."""

    code = "notice-changed"

    def __init__(self, version: int) -> None:
        super().__init__(
            "Someone has changed this notice since you opened it. Read what is new, then save "
            "yours again.",
            version=version,
        )


class TooManyAmendments(Refusal):
    """A notice has as many earlier versions as it may have."""

    code = "too-many-amendments"

    def __init__(self) -> None:
        super().__init__("This notice was amended too often. Withdraw it and publish another.")


class NoSuchNotice(Refusal):
    """The notice does not exist."""

    code = "no-such-notice"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such notice.")


class NoSuchNotification(Refusal):
    """The notification is not in this patron's inbox."""

    code = "no-such-notification"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such notification in your inbox.")


class BadCursor(Refusal):
    """The cursor does not come from this list."""

    code = "bad-cursor"
    status = 422

    def __init__(self) -> None:
        super().__init__("The cursor does not come from this list.")


class NoSuchPatron(Refusal):
    """The patron has been erased."""

    code = "no-such-patron"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such reader.")


class NoSuchTitle(Refusal):
    """The title is not in the catalogue."""

    code = "no-such-title"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such title.")
