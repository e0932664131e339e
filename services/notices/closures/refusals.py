"""Refusals about closures."""

from services.notices.refusals import Refusal


class NoSuchClosure(Refusal):
    """No closure has this id."""

    code = "no-such-closure"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such closure.")


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
