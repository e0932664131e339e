"""Refusals about holds."""

from services.circulation.domain.refusals.refusal import Refusal


class NoSuchHold(Refusal):
    """No hold that the caller may see has this id."""

    code = "no-such-hold"
    status = 404
    says = "There is no such reservation."


class HoldLimit(Refusal):
    """The patron has as many holds as the policy allows."""

    code = "hold-limit"
    says = "You've reached the limit of reservations at one time: {limit}."


class HoldExists(Refusal):
    """The patron waits for the title already."""

    code = "hold-exists"
    says = "You have reserved this title already."


class TitleOnLoan(Refusal):
    """The patron has a copy of the title on loan."""

    code = "title-on-loan"
    says = "You have this title on loan, so you cannot reserve it."


class HoldEnded(Refusal):
    """The hold was collected, cancelled or has expired."""

    code = "hold-ended"
    says = "This reservation has ended."


class HoldNotWaiting(Refusal):
    """The hold has a copy already."""

    code = "hold-not-waiting"
    says = "You can't change this reservation: a copy is already kept for you or on its way."


class EndsBeforeToday(Refusal):
    """A day chosen for a hold that has already passed."""

    code = "ends-before-today"
    says = "{on} has passed already."
