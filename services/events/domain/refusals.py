"""Refusals of events. One class each, with a code and a reason."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar


class Refusal(Exception):
    """A request that the rules refuse: `code` is for programs, `reason` for the person."""

    code: ClassVar[str]
    reason: ClassVar[str]

    def __init__(self, **extra: str) -> None:
        super().__init__(self.reason)
        self.extra: Mapping[str, str] = extra
        """More members of the problem."""


class NoSuchActivity(Refusal):
    """There is no such activity."""

    code = "no-such-activity"
    reason = "There is no such activity."


class NoRecording(Refusal):
    """The activity has no recording."""

    code = "no-recording"
    reason = "This activity has no recording."


class NotYetReleased(Refusal):
    """The recording may not be seen yet; `available_from` says from when."""

    code = "not-yet-released"
    reason = "This recording cannot be seen yet."

    def __init__(self, available_from: datetime) -> None:
        super().__init__(available_from=available_from.isoformat().replace("+00:00", "Z"))


class EndsBeforeItStarts(Refusal):
    """An activity whose end is not after its start."""

    code = "ends-before-it-starts"
    reason = "An activity has to end after it starts."
