"""Refusals about enquiries, their files and the question bank."""

from services.notices.refusals import Refusal


class NoSuchEnquiry(Refusal):
    """The enquiry does not exist, or is not this patron's."""

    code = "no-such-enquiry"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such question.")


class NoSuchGuestEnquiry(Refusal):
    """The link belongs to no question of a guest, or its question is deleted."""

    code = "no-such-guest-enquiry"
    status = 404

    def __init__(self) -> None:
        super().__init__("This link doesn't work, or its question has been deleted.")


class GuestsNotAnswered(Refusal):
    """No mail server is set, so that guests can't be answered."""

    code = "guests-not-answered"

    def __init__(self) -> None:
        super().__init__("This library answers questions of its readers only. Please log in.")


class EnquiryChanged(Refusal):
    """Someone changed the enquiry after the librarian read it."""

    code = "enquiry-changed"

    def __init__(self, version: int) -> None:
        super().__init__(
            "Someone has changed this question since you opened it. Read what is new, then send "
            "yours again.",
            version=version,
        )


class EnquiryIsClosed(Refusal):
    """The enquiry is closed; only the patron's reply opens it again."""

    code = "enquiry-closed"

    def __init__(self) -> None:
        super().__init__("This question is closed. A reply of the reader opens it again.")


class EnquiryMerged(Refusal):
    """The enquiry was merged into another, in which it goes on."""

    code = "enquiry-merged"

    def __init__(self, into: str) -> None:
        super().__init__(
            "The library answers this question together with another of yours. Write there.",
            into=into,
        )


class NotMergeable(Refusal):
    """The enquiries are not two of the same patron or guest."""

    code = "not-mergeable"

    def __init__(self) -> None:
        super().__init__("Only two different questions of the same reader can be merged.")


class EnquiryFull(Refusal):
    """The enquiry has as many messages or notes as it may have."""

    code = "enquiry-full"

    def __init__(self) -> None:
        super().__init__("This question has too many messages. Please ask a new one.")


class BadAttachment(Refusal):
    """The file is of another kind than those that may be attached."""

    code = "bad-attachment"
    status = 422

    def __init__(self) -> None:
        super().__init__("A file is a PDF, a picture (PNG or JPEG) or plain text in UTF-8.")


class NoSuchAttachment(Refusal):
    """The file does not exist, is not the caller's, or was sent already."""

    code = "no-such-attachment"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such file.")


class TooManyAttachments(Refusal):
    """The enquiry, or the patron without a message, has as many files as it may have."""

    code = "too-many-attachments"

    def __init__(self) -> None:
        super().__init__("There are too many files. Send fewer, or ask a new question.")


class TooManyEnquiries(Refusal):
    """The patron has as many open enquiries as one may have."""

    code = "too-many-enquiries"

    def __init__(self) -> None:
        super().__init__("You have too many open questions. Close one of them first.")


class NoSuchQuestion(Refusal):
    """The question bank has no such question."""

    code = "no-such-question"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such question in the question bank.")


class QuestionChanged(Refusal):
    """Someone changed the question of the bank after the librarian read it."""

    code = "question-changed"

    def __init__(self, version: int) -> None:
        super().__init__(
            "Someone has changed this question since you opened it. Read what is new, then save "
            "yours again.",
            version=version,
        )
