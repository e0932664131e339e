"""Refusals about patrons and titles."""

from services.notices.refusals import Refusal


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
