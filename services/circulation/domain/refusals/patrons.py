"""Refusals about patrons and their cards."""

from services.circulation.domain.refusals.refusal import Refusal


class NoSuchCard(Refusal):
    """No patron has this card number."""

    code = "no-such-card"
    status = 404
    says = "No library card has this number."


class NoSuchPatron(Refusal):
    """No patron that circulation knows has this id."""

    code = "no-such-patron"
    status = 404
    says = "There is no such reader."


class PatronBlocked(Refusal):
    """The patron owes money, or was blocked by the staff."""

    code = "patron-blocked"
    says = (
        "You can't borrow, renew or reserve until you pay your charges or the staff "
        "unblock your account."
    )
