"""Refusals about fine suspensions."""

from services.circulation.domain.refusals.refusal import Refusal


class NoSuchSuspension(Refusal):
    """There is no such fine suspension."""

    code = "no-such-suspension"
    status = 404
    says = "There is no such suspension of fines."


class ResumesBeforeStart(Refusal):
    """A fine suspension that would end before it begins."""

    code = "resumes-before-start"
    says = "Fines are suspended from {starts_on}. They must restart after that day."


class SuspensionWithdrawn(Refusal):
    """A change of a fine suspension that was withdrawn."""

    code = "suspension-withdrawn"
    says = "This suspension of fines was withdrawn. Record a new one."


class SuspensionOver(Refusal):
    """The withdrawal of a fine suspension that has ended."""

    code = "suspension-over"
    says = (
        "This suspension ended before {resumes_on}. Its days stay free, unless it is withdrawn "
        "as recorded in error."
    )
