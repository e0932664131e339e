"""Refusals about notifications and their wordings."""

from collections.abc import Sequence

from services.notices.refusals import Refusal


class NoSuchNotification(Refusal):
    """The notification is not in this patron's inbox."""

    code = "no-such-notification"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such notification in your inbox.")


class BadPlaceholder(Refusal):
    """A text has a placeholder that its kind of notification does not have, or a lone brace."""

    code = "bad-placeholder"
    status = 422

    def __init__(self, name: str | None, known: Sequence[str]) -> None:
        listed = ", ".join(f"{{{one}}}" for one in known)
        wrong = "A brace has no partner." if name is None else f"There is no {{{name[:40]}}} here."
        super().__init__(f"{wrong} You can use: {listed}.", known=list(known))


class NoSuchKind(Refusal):
    """There is no such kind of notification."""

    code = "no-such-kind"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such kind of message.")


class NoSuchVersion(Refusal):
    """The wording has no such version, or no longer keeps it."""

    code = "no-such-version"
    status = 404

    def __init__(self) -> None:
        super().__init__("This wording has no such version.")


class WordingChanged(Refusal):
    """Someone changed the wording after the librarian read it."""

    code = "wording-changed"

    def __init__(self, version: int) -> None:
        super().__init__(
            "Someone has changed this wording since you opened it. Read what is new, then save "
            "yours again.",
            version=version,
        )


class NoMailServer(Refusal):
    """No mail server is set, so nothing can be sent."""

    code = "no-mail-server"

    def __init__(self) -> None:
        super().__init__("E-mail is turned off: no mail server is set.")


class TrialNotSent(Refusal):
    """The mail server did not take the e-mail."""

    code = "trial-not-sent"

    def __init__(self) -> None:
        super().__init__("The mail server did not take the e-mail. Check the address.")
