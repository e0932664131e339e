"""Notifications about an enquiry to Ask a Librarian: answered, asked back, or merged."""

from dataclasses import dataclass
from typing import Self, cast

from services.notices.kinds.kind import Kind, Known, OnePatron
from services.notices.language import Language
from shared.contracts.notices import EnquiryAnswered, EnquiryClosed, EnquirySnapshot
from shared.translations import marked
from shared.unit_of_work import Run


@dataclass(frozen=True, kw_only=True)
class OfEnquiry(Kind):
    """The facts of every notification about an enquiry."""

    enquiry_id: str

    @classmethod
    def recipients(cls, event: EnquirySnapshot) -> OnePatron:
        """Return the patron who asked; guests are left out by `of`."""
        return OnePatron(cast(str, event.patron_id))

    def names(self, known: Known, language: Language) -> dict[str, str]:
        """Return the subject of the enquiry."""
        subject = known.enquiries.get(self.enquiry_id)
        return {"subject": language.quoted(subject, "")} if subject else {}


@dataclass(frozen=True, kw_only=True)
class Answered(OfEnquiry, events=[EnquiryAnswered], name=marked("Question answered")):
    """A notification that a librarian has answered, or needs to know more."""

    asks: bool
    outcome: str | None = None
    """`bought` or `not-bought`; None: it answers a question."""

    @classmethod
    async def of(cls, event: EnquiryAnswered, run: Run) -> Self | None:
        """Return whether the librarian asks something; None to a guest, who gets a link."""
        if event.patron_id is None:
            return None
        asks = event.state == "waiting"
        return cls(enquiry_id=event.enquiry_id, asks=asks, outcome=event.outcome)

    @property
    def is_usual(self) -> bool:
        """False if the library asks something instead of an answer."""
        return not self.asks

    def texts(self, known: Known) -> list[str]:
        """Return what the library has written."""
        if self.enquiry_id not in known.enquiries:
            return [marked("The library has written to you about your question.")]
        if self.asks:
            return [marked("The library needs to know more about your question {subject}.")]
        if self.outcome == "bought":
            return [marked("The library will buy {subject}, which you suggested.")]
        if self.outcome:
            return [marked("The library has decided not to buy {subject}, which you suggested.")]
        return [marked("The library has answered your question {subject}.")]


@dataclass(frozen=True, kw_only=True)
class Merged(OfEnquiry, events=[EnquiryClosed], name=marked("Question answered with another")):
    """A notification that the library answers an enquiry together with another."""

    merged_into: str

    @classmethod
    async def of(cls, event: EnquiryClosed, run: Run) -> Self | None:
        """Return the other enquiry; None if it was closed without one, or is a guest's."""
        if event.merged_into is None or event.patron_id is None:
            return None
        return cls.from_event(event)

    def texts(self, known: Known) -> list[str]:
        """Return where the answer will be."""
        if self.enquiry_id not in known.enquiries:
            return [marked("The library answers two of your questions together.")]
        return [marked("The library answers your question {subject} together with another one.")]
