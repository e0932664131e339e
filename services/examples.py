"""Examples in the OpenAPI documents that several services share: one library and its people.

A body's example is made from its fields, so a new field appears in it automatically. There is one
example for each field name. A different one for one model is under `Model.field`; one for a single
place is under the path of fields that leads there: `LentOut.loan.due_on`, or
`DELETE /v1/holds/{hold_id}.state`. A model may give its own with `Field(examples=[…])`. An example
of one service is in its own `examples.py`.

The examples are from the Hong Kong Central Library on Monday, 8 March 2021. Chan Mei-ling borrowed
"Harbour Lights" on 26 November. It was due on 10 December, when all libraries closed; the due date
moved to 19 February, when this library reopened; fines count again since 5 March. People and books
are invented.
"""

from collections.abc import Mapping
from typing import Any

LOAN = "0176022c-1d40-7c51-9a0e-5b7f3e0a4c11"
PATRON = "01738f5e-2a80-7d13-8b62-1f4c9a7e6d02"
TITLE = "0172a4d1-9c60-7a84-b7f5-3c9e1d6b2f04"
HOLD = "01780d6c-4b20-7e47-92c1-8d5f0b3a7e06"
CHARGE = "017810f3-6a40-7158-84d7-2b9c6e1f5a07"
CLOSURE = "0176439b-8e00-7369-9f15-4e7a0d2c8b08"
REGISTRATION = "01781140-2f60-7e09-8a1c-2b3d4e5f6a21"
ENQUIRY = "01780d8a-5c30-7f21-8e4d-6a1b9c2f3d17"
ADMISSION = "0177a1b2-3c40-7d51-8e6f-0a1b2c3d4e5f"
BOOKING = "01780f3a-4d20-7b16-9c8e-2f5a7d1b3e60"
SEASON = "01776f20-1a40-7b38-9c5d-6e7f8a9b0c1d"
MEMBER = "01738f61-7c20-7a45-9d3e-5b8c1f2a6e04"
"""A patron whose card is linked with hers."""
LINK = "01780c15-2e40-7b83-8f5a-3d6e9a1c4b07"
NOW = "2021-03-08T02:15:00Z"
CALENDAR = (
    "01780a2f-3b40-7c62-9d7e-4f5a6b7c8d23."
    "7c3e9f105d2b8a46e1f0937bc5d8a2e46f1b3d5c7a9e0f2846b8d1c3e5a7f904"
)
"""The secret of a calendar feed."""

READER = "Chan Mei-ling"

COMMON: Mapping[str, Any] = {
    "any_edition": False,
    "volume": None,
    "accruing_after_cents": 37_800,
    "accruing_before_cents": 91_650,
    "activity_id": "01765b0e-1f40-77a3-9be5-5c8d0e4f7a14",
    "amount_cents": 600,
    "as_of": "2021-03-08",
    "barcode": "D000004",
    "borrowed_on": "2020-11-26",
    "branch": "HKCL",
    "card_number": "P0000001",
    "card_expires_on": "2022-02-28",
    "category": "adult",
    "claimed_returned_on": None,
    "credited_cents": 0,
    "date": "2021-02-17",
    "due_at": None,
    "due_on": "2021-02-19",
    "ends_at": "2021-03-27T08:30:00Z",
    "enquiry_id": ENQUIRY,
    "expires_on": "2021-06-30",
    "fines_lowered": 0,
    "from": "2021-03-08",
    "frozen": False,
    "home_branch": "HKCL",
    "in_error": False,
    "language": "en",
    "loan_id": LOAN,
    "loans_moved": 1_204,
    "next": None,
    "not_charged_cents": 53_850,
    "notifications": 412,
    "on": "2021-03-08",
    "open_loans": 1_310,
    "overdue": True,
    "patron": PATRON,
    "patron_id": PATRON,
    "per_day_cents": 150,
    "pickup_branch": "HKCL",
    "position": 2,
    "reason": "Libraries are closed",
    "refund_due_cents": 0,
    "renewals_left": 5,
    "season_id": SEASON,
    "shelf_dates_moved": 0,
    "starts_at": "2021-03-27T07:00:00Z",
    "status": "active",
    "suspended": False,
    "title": "Harbour Lights",
    "to": "2021-02-19",
    "type": "talk",
    "venue": "Lecture Theatre",
    "version": 1,
    # people
    "PatronOut.id": PATRON,
    "PatronOut.name": READER,
    # loans
    "LoanOut.id": LOAN,
    "LoanOut.version": 2,
    # holds
    "HoldOut.id": HOLD,
    "HoldOut.state": "waiting",
    # money
    "ChargeOut.id": CHARGE,
}
