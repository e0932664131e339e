"""Take an enquiry as a librarian, or pass it on to the staff of a branch or to all."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain import enquiry as rules
from services.notices.domain.enquiry import Enquiry, Librarian
from services.notices.domain.refusals import NoSuchBranch
from services.notices.usecases.publish_enquiry import existing, publish
from shared.contracts.notices import EnquiryAssigned
from shared.unit_of_work import Work


@dataclass(frozen=True)
class TakeEnquiry:
    """An enquiry and the librarian who takes it."""

    enquiry_id: str
    librarian: Librarian
    seen: int
    """Version of the enquiry that the librarian has read."""


@dataclass(frozen=True)
class PassOnEnquiry:
    """An enquiry and the branch whose staff get it; None: all staff."""

    enquiry_id: str
    branch: str | None
    seen: int
    """Version of the enquiry that the librarian has read."""


def take_enquiry(work: Work, command: TakeEnquiry) -> Enquiry:
    """Assign the enquiry. Raises NoSuchEnquiry, EnquiryChanged or EnquiryIsClosed."""
    enquiry = existing(work, command.enquiry_id)
    taken = rules.assigned(enquiry, command.librarian, work.now, seen=command.seen)
    return publish(work, taken, EnquiryAssigned)


def pass_on_enquiry(work: Work, command: PassOnEnquiry) -> Enquiry:
    """Pass the enquiry on. Raises as `take_enquiry` does, or NoSuchBranch."""
    if command.branch and store.branches.get(work, command.branch) is None:
        raise NoSuchBranch([command.branch])
    enquiry = existing(work, command.enquiry_id)
    passed = rules.passed_on(enquiry, command.branch, work.now, seen=command.seen)
    return publish(work, passed, EnquiryAssigned)
