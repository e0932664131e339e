"""Examples of the fields of the gateway in the OpenAPI document (see services/examples.py)."""

from collections.abc import Mapping
from typing import Any

from services.examples import (
    ADMISSION,
    BOOKING,
    CALENDAR,
    CHARGE,
    COMMON,
    ENQUIRY,
    LINK,
    MEMBER,
    NOW,
    REGISTRATION,
)

EVENT_ID = "kHv0sW2p" * 11
"""Event id in the stream of an account."""

EXAMPLES: Mapping[str, Any] = {
    "PersonalDataOut.as_of": NOW,
    "PersonalDataOut.services": {
        "events": {"registrations": [{"id": "01781105-2b60-79c5-b6d8-4e0f9a2c1d17"}]}
    },
    **COMMON,
    "blocked_by": [],
    "last-event-id": EVENT_ID,
    "live": True,
    "secret": CALENDAR,
    "unread": 1,
    # money
    "ChargeOut.statement_url": f"/v1/charges/{CHARGE}/statement",
    # activities, news and messages
    "AdmittedOut.id": ADMISSION,
    "AdmittedOut.place_until": None,
    "AdmittedOut.season": "Examinations of 2021",
    "AdmittedOut.standby_number": None,
    "AdmittedOut.state": "granted",
    "AdmittedOut.valid_from": "2021-03-15",
    "AdmittedOut.valid_until": "2021-05-20",
    "BookedOut.id": BOOKING,
    "BookedOut.starts_at": "2021-03-08T05:30:00Z",
    "BookedOut.ends_at": "2021-03-08T09:30:00Z",
    "BookedOut.until": "2021-03-08T05:45:00Z",
    "LinkedOut.id": LINK,
    "LinkedOut.patron_id": MEMBER,
    "MemberAccountOut.patron_id": MEMBER,
    "member_id": MEMBER,
    "EnquiryOut.id": ENQUIRY,
    "EnquiryOut.messages": 1,
    "EnquiryOut.opened_at": NOW,
    "EnquiryOut.state": "new",
    "RegisteredOut.id": REGISTRATION,
    "RegisteredOut.state": "confirmed",
    "RegisteredOut.position": None,
    "RegisteredOut.title": "Reading the Harbour: a Walk in Old Maps",
    "RegisteredOut.wordings": {"zh-Hant": {"title": "舊地圖上的維港漫步", "venue": "演講廳"}},
    "ActivityRow.wordings": {"zh-Hant": {"title": "舊地圖上的維港漫步", "venue": "演講廳"}},
    "ActivityRow.title": "Reading the Harbour: a Walk in Old Maps",
    "NewsRow.content": "Open again from 19 February, with special hours and a limit on people.",
    "NewsRow.wordings": {"zh-Hant": {"content": "二月十九日起重開，設特別開放時間。"}},
    "NewsRow.library": "Hong Kong Central Library",
    # the account at a glance
    "OverviewOut.charges.amount_cents": 330,
    "OverviewOut.charges.hold_id": "01774b1d-5e60-7cf8-a90b-7b3c2d5e4f20",
    "OverviewOut.charges.kind": "hold-fee",
    "OverviewOut.charges.loan_id": None,
    "OverviewOut.charges.outstanding_cents": 330,
    "OverviewOut.accruing.resumes_on": None,
    "TotalsOut.accruing_cents": 600,
    "TotalsOut.holds": 1,
    "TotalsOut.loans": 1,
    "TotalsOut.outstanding_cents": 330,
    "TotalsOut.overdue": 1,
    "SourceOut.as_of": NOW,
}
