"""Refusals about visits, queues and contact tracing."""

from services.notices.refusals import Refusal


class BranchIsClosed(Refusal):
    """Nobody can enter: the branch is closed at this moment."""

    code = "branch-is-closed"

    def __init__(self) -> None:
        super().__init__("The library is closed now.")


class BranchFull(Refusal):
    """The branch holds no more people, with those who were called from the queue."""

    code = "branch-full"

    def __init__(self, free: int, wait_minutes: int | None) -> None:
        super().__init__(
            "The library is full now. Join the queue, or come back later.",
            free=free,
            wait_minutes=wait_minutes,
        )


class NotFull(Refusal):
    """There is room inside, so that nobody has to wait."""

    code = "branch-not-full"

    def __init__(self) -> None:
        super().__init__("There is room inside: you don't need to wait.")


class QueueFull(Refusal):
    """The queue may have no more people."""

    code = "queue-full"

    def __init__(self) -> None:
        super().__init__("Too many people are waiting. Please come back later.")


class TooManyDoors(Refusal):
    """The branch has as many doors as are counted."""

    code = "too-many-doors"

    def __init__(self) -> None:
        super().__init__("The library has too many doors already. Use one of their names.")


class NoSuchVenue(Refusal):
    """No branch has this venue code, or it was replaced."""

    code = "no-such-venue"
    status = 404

    def __init__(self) -> None:
        super().__init__("This venue code isn't valid. Please scan the code at the door again.")


class NoSuchVisit(Refusal):
    """There is no such visit, or it has ended."""

    code = "no-such-visit"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such visit. It may have ended.")


class VisitsNotKept(Refusal):
    """The system has no key for the data of visitors, so that none are kept."""

    code = "visits-not-kept"

    def __init__(self) -> None:
        super().__init__("This library doesn't register its visitors. You can just walk in.")


class BadSpan(Refusal):
    """The span of time ends before it begins, or is too long for one look."""

    code = "bad-span"
    status = 422

    def __init__(self) -> None:
        super().__init__("The end must be after the start, and at most 24 hours after it.")


class TooManyVisits(Refusal):
    """More visits are found than one look may show."""

    code = "too-many-visits"

    def __init__(self, most: int) -> None:
        super().__init__(f"More than {most} visits match. Choose a shorter time.")
