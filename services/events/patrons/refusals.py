"""Refusals about patrons."""

from services.events.refusal import Refusal


class NoSuchPatron(Refusal):
    """The patron was erased, though their token is still valid."""

    code = "no-such-patron"
    status = 404
    reason = "There is no such patron."
