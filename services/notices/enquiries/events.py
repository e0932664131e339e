"""Events of enquiries."""

from services.notices.enquiries.rules.enquiries import Enquiry
from shared.contracts.notices import EnquiryAnswered, EnquirySnapshot


def enquiry_snapshot(kind: type[EnquirySnapshot], enquiry: Enquiry) -> EnquirySnapshot:
    """Return an event with the state of an enquiry."""
    more = {"outcome": enquiry.outcome} if kind is EnquiryAnswered else {}
    return kind(
        version=enquiry.version,
        enquiry_id=enquiry.id,
        patron_id=enquiry.patron_id,
        state=enquiry.state,
        open=enquiry.is_open,
        branch=enquiry.branch,
        title_id=enquiry.title_id,
        language=enquiry.language,
        opened_at=enquiry.opened_at,
        first_answered_at=enquiry.first_answered_at,
        messages=enquiry.messages,
        merged_into=enquiry.merged_into,
        **more,
    )
