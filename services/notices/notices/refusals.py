"""Refusals about notices and drafts of notices."""

from services.notices.refusals import Refusal


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
