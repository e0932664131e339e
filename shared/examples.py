"""Examples in the OpenAPI document: made from the WORDS of one library, field by field.

A body's example is made from its fields, so a new field appears in it automatically. WORDS has one
example for each field name. A different one for one model is under `Model.field`; one for a single
place is under the path of fields that leads there: `LentOut.loan.due_on`, or
`DELETE /v1/holds/{hold_id}.state`. A model may give its own with `Field(examples=[…])`.

The examples are from the Hong Kong Central Library on Monday, 8 March 2021. Chan Mei-ling borrowed
"Harbour Lights" on 26 November. It was due on 10 December, when all libraries closed; the due date
moved to 19 February, when this library reopened; fines count again since 5 March. People and books
are invented.
"""

from collections.abc import Mapping, Sequence
from typing import Any

LEFT_OUT = ...
"""The word for an optional field that a body's example leaves out."""

EVENT_ID = "kHv0sW2p" * 11
"""Event id in the stream of an account."""
_LOAN = "0176022c-1d40-7c51-9a0e-5b7f3e0a4c11"
_PATRON = "01738f5e-2a80-7d13-8b62-1f4c9a7e6d02"
_OTHER = "01741c9a-77e0-7f26-a3d8-6e2b5c8f9a13"
_TITLE = "0172a4d1-9c60-7a84-b7f5-3c9e1d6b2f04"
_COPY = "0172a4d1-9c61-7b35-8e90-7a2d4f1c6b05"
_HOLD = "01780d6c-4b20-7e47-92c1-8d5f0b3a7e06"
_CHARGE = "017810f3-6a40-7158-84d7-2b9c6e1f5a07"
_CLOSURE = "0176439b-8e00-7369-9f15-4e7a0d2c8b08"
_SUSPENSION = "01764412-3d60-7470-a8b6-9c1f5e3d7a09"
_PAYMENT = "01781120-5c80-7581-b3c9-0f6d2a8e4b10"
_STAFF = "016f5e66-e800-7692-8ad4-7b3c1e9f6d12"
_REGISTRATION = "01781140-2f60-7e09-8a1c-2b3d4e5f6a21"
_NOW = "2021-03-08T02:15:00Z"

_HOURS = [{"weekday": day, "opens": "10:00", "closes": "19:00"} for day in (1, 2, 4, 5, 6)]
_SUSPENDED = {
    "from": "2021-02-20",
    "to": "2021-03-04",
    "days": 13,
    "disposition": "suspended",
    "amount_cents": 0,
    "cause": {
        "kind": "suspension",
        "id": _SUSPENSION,
        "version": 2,
        "reason": "Libraries are closed",
        "also": [],
    },
}
_CHARGED = {
    "from": "2021-03-05",
    "to": "2021-03-08",
    "days": 4,
    "disposition": "charged",
    "amount_cents": 600,
    "cause": {
        "kind": "policy",
        "id": "default",
        "version": 1,
        "reason": "$1.50 a day, at most $130.00",
        "also": [],
    },
}

WORDS: Mapping[str, Any] = {
    # fields that have the same example everywhere
    "access_token": "eyJhbGciOiJFZDI1NTE5In0.eyJzdWIiOiIwMTczOGY1ZSJ9.dGhpcyBpcyBub25l",
    "accruing_after_cents": 37_800,
    "accruing_before_cents": 91_650,
    "activity_id": "01765b0e-1f40-77a3-9be5-5c8d0e4f7a14",
    "activity_types": ["talk", "workshop"],
    "amount_cents": 600,
    "as_of": "2021-03-08",
    "assessed_on": "2021-03-08",
    "at": _NOW,
    "at_branch": "HKCL",
    "authors": ["Wong Ka-yan"],
    "barcode": "D000004",
    "barcodes": ["D000004"],
    "begun_at": _NOW,
    "blocked_by": [],
    "borrowed_on": "2020-11-26",
    "bound_for": None,
    "branch": "HKCL",
    "branch_kind": "central",
    "by": _STAFF,
    "calendar_version": 7,
    "capacity": 600,
    "card": "P0000001",
    "card_digest": "9f2c4e8a1b7d3056c9e4f8a2b6d1037e5c9a8f4b2d6e1073a5c8f9b4e2d70613",
    "card_number": "P0000001",
    "category": "adult",
    "channels": ["inbox", "email"],
    "charge_id": _CHARGE,
    "charge_ids": [_CHARGE],
    "loan_ids": [_LOAN],
    "charged_days": 4,
    "claimed_returned_on": None,
    "closure_id": _CLOSURE,
    "code": "HKCL",
    "conflict_id": "01771f02-6e20-78b4-a5c7-3d9e8f1b0c15",
    "copy_category": "children",
    "copy_id": _COPY,
    "credited_cents": 0,
    "date": "2021-02-17",
    "due_on": "2021-02-19",
    "email": "mei-ling@example.org",
    "ends_at": "2021-03-27T08:30:00Z",
    "enquiries": "2921 0388",
    "expires_in": 3600,
    "fine_cents": 600,
    "expires_on": "2021-06-30",
    "extra_renewals": 2,
    "fault": "damaged",
    "fines_lowered": 0,
    "followed_branches": ["HKCL"],
    "from": "2021-03-08",
    "frozen": False,
    "frozen_until": None,
    "hold_id": _HOLD,
    "home_branch": "HKCL",
    "in_error": False,
    "isbn": "9789620000003",
    "keep_history": False,
    "kid": "Qm3t8vJ1xZ5nC7bL0kR4sW9yD2fH6gA-uE_pT1oI8jM",
    "language": "en",
    "last-event-id": EVENT_ID,
    "live": True,
    "loan_id": _LOAN,
    "loans_moved": 1_204,
    "lost_on": None,
    "measures": ["Hand hygiene on entering", "Scan the LeaveHomeSafe code, or register"],
    "name": "Chan Mei-ling",
    "next": None,
    "not_charged_cents": 53_850,
    "note": "Settled with the patron at the desk",
    "notification_id": "5b0d8f3a-7c1e-5a94-8d26-9e4f1b7c3a16",
    "notifications": 412,
    "ok": True,
    "on": "2021-03-08",
    "open_loans": 1_310,
    "organiser": "Hong Kong Public Libraries",
    "outstanding_cents": 600,
    "overdue": True,
    "paid_cents": 0,
    "patron": _PATRON,
    "patron_category": None,
    "patron_id": _PATRON,
    "payment_id": _PAYMENT,
    "per_day_cents": 150,
    "phone": "9123 4567",
    "pickup_branch": "HKCL",
    "pin": "246810",
    "placed_at": _NOW,
    "places": 80,
    "places_left": 12,
    "policy_id": "children",
    "position": 2,
    "price_cents": 12800,
    "problem": None,
    "published_at": "2021-02-17T08:00:00Z",
    "q": "harbour lights",
    "reachable_by": ["email", "sms"],
    "read": False,
    "ready_on": None,
    "reason": "Libraries are closed",
    "recorded_at": "2020-12-08T08:00:00Z",
    "reference": "RN-4F7K-Q2MD",
    "refund_due_cents": 0,
    "registered_at": _NOW,
    "renewals": 0,
    "renewals_left": 5,
    "reopened_on": "2021-02-19",
    "reported_at": _NOW,
    "resolution": None,
    "resumes_on": "2021-03-05",
    "returned_on": None,
    "role": "staff",
    "roles": ["patron"],
    "services": ["lending", "returning", "reserved-items"],
    "shelf_dates_moved": 0,
    "shelf_until": None,
    "speaker": "Ms Yip Wing-sze",
    "stagger_days": 3,
    "starts_at": "2021-03-27T07:00:00Z",
    "starts_on": "2020-12-10",
    "status": "active",
    "status_reason": None,
    "suspended": False,
    "suspension_id": _SUSPENSION,
    "title": "Harbour Lights",
    "title_id": _TITLE,
    "to": "2021-02-19",
    "turn": 31,
    "type": "talk",
    "unread": 1,
    "url": "https://recordings.example/2020/factory-in-and-out",
    "venue": "Lecture Theatre",
    "version": 1,
    "waived_cents": 0,
    "withdrawn": False,
    "withdrawn_because": None,
    "withdrawn_on": None,
    # people
    "PatronOut.id": _PATRON,
    "PatronRef.id": _PATRON,
    "StaffIn.card_number": "S0000002",
    "StaffIn.name": "Ho Ka-ming",
    "StaffOut.card_number": "S0000002",
    "StaffOut.id": "01781105-2b60-79c5-b6d8-4e0f9a2c1d17",
    "StaffOut.name": "Ho Ka-ming",
    "POST /v1/patrons/{patron_id}/block.reason": "The card was found in the street",
    "POST /v1/patrons/{patron_id}/block.blocked_by": ["staff"],
    "POST /v1/patrons/{patron_id}/block.status": "blocked",
    "POST /v1/patrons/{patron_id}/block.status_reason": "The card was found in the street",
    "POST /v1/patrons/{patron_id}/unblock.reason": "The card was given back",
    "DELETE /v1/patrons/{patron_id}.status": "erased",
    "PatronChanges.card_number": LEFT_OUT,
    "PatronChanges.pin": LEFT_OUT,
    # titles and copies
    "TitleIn.kind": "book",
    "TitleChanges.kind": "book",
    "TitleOut.id": _TITLE,
    "TitleOut.kind": "book",
    "TitleInFull.id": _TITLE,
    "TitleInFull.kind": "book",
    "CopyOut.state": "on-loan",
    "CopyDetail.hold_id": None,
    "CopyDetail.state": "on-loan",
    "StockOut.available": 0,
    "StockOut.copies": 1,
    "POST /v1/titles.availability.available": 1,
    "POST /v1/titles.copies.state": "available",
    # loans
    "LoanOut.id": _LOAN,
    "LoanOut.policy_id": "default",
    "LoanOut.policy_version": 1,
    "LoanOut.state": "open",
    "LoanOut.version": 2,
    "MoveOut.at": "2021-02-17T08:00:04Z",
    "MoveOut.cause": _CLOSURE,
    "MoveOut.from": "2020-12-10",
    "PastLoanOut.id": _LOAN,
    "PastLoanOut.returned_on": "2021-03-08",
    "CheckOutIn.at": LEFT_OUT,
    "CheckOutIn.offline": LEFT_OUT,
    "ReturnIn.at": LEFT_OUT,
    "ReturnIn.channel": "desk",
    "ClaimIn.at": "2021-03-06",
    "LentOut.loan.borrowed_on": "2021-03-08",
    "LentOut.loan.due_on": "2021-03-22",
    "LentOut.loan.moves": [],
    "LentOut.loan.version": 1,
    "RenewalOut.loan.due_on": "2021-03-22",
    "RenewalOut.loan.renewals": 1,
    "RenewalOut.loan.renewals_left": 4,
    "RenewalOut.loan.version": 3,
    "RenewalEffectOut.due_on": "2021-03-22",
    "RenewalEffectOut.renewals_left": 4,
    "AttemptOut.loan.due_on": "2021-03-22",
    "AttemptOut.loan.renewals": 1,
    "AttemptOut.loan.renewals_left": 4,
    "AttemptOut.loan.version": 3,
    "LossOut.loan.lost_on": "2021-03-08",
    "LossOut.loan.state": "lost",
    "LossOut.loan.version": 3,
    "ReturnedOut.loan.returned_on": "2021-03-08",
    "ReturnedOut.loan.state": "returned",
    "ReturnedOut.loan.version": 3,
    "ReturnedOut.copy.at_branch": "HKCL",
    "ReturnedOut.copy.hold_id": _HOLD,
    "ReturnedOut.copy.state": "on-shelf",
    "ReturnedOut.hold.copy_id": _COPY,
    "ReturnedOut.hold.patron_id": _OTHER,
    "ReturnedOut.hold.position": None,
    "ReturnedOut.hold.ready_on": "2021-03-08",
    "ReturnedOut.hold.shelf_until": "2021-03-15",
    "ReturnedOut.hold.state": "ready",
    "POST /v1/loans/{loan_id}/claim.claimed_returned_on": "2021-03-06",
    "ConflictOut.branch": "HKCL",
    "ConflictOut.code": "loan-limit",
    "ConflictOut.detail": "You have as many items on loan as you may have at one time: 10.",
    "ConflictOut.id": "01771f02-6e20-78b4-a5c7-3d9e8f1b0c15",
    "ConflictOut.lent_on": "2021-03-07",
    "POST /v1/offline-conflicts/{conflict_id}/resolution.resolution": {
        "by": _STAFF,
        "at": _NOW,
        "note": "Settled with the patron at the desk",
    },
    "PolicyIn.reason": "Children's copies cost 50 cents a day",
    "PolicyIn.patron_category": LEFT_OUT,
    "PolicyIn.branch_kind": LEFT_OUT,
    "PolicyIn.fine_per_day_cents": 50,
    "Policy.id": "children",
    "Policy.branch_kind": None,
    "Policy.fine_per_day_cents": 50,
    "Policy.version": 2,
    "PolicyChangeOut.id": "children.000002",
    "PolicyChangeOut.reason": "Children's copies cost 50 cents a day",
    "PolicyChangeOut.version": 2,
    "DELETE /v1/policies/{policy_id}.id": "children.000003",
    "DELETE /v1/policies/{policy_id}.reason": "Children's copies cost what others do",
    "DELETE /v1/policies/{policy_id}.row": None,
    "DELETE /v1/policies/{policy_id}.version": 3,
    # holds
    "HoldIn.patron_id": LEFT_OUT,
    "HoldOut.copy_id": None,
    "HoldOut.id": _HOLD,
    "HoldOut.state": "waiting",
    "PATCH /v1/holds/{hold_id}.frozen": True,
    "PATCH /v1/holds/{hold_id}.frozen_until": "2021-03-31",
    "PATCH /v1/holds/{hold_id}.version": 2,
    "DELETE /v1/holds/{hold_id}.position": None,
    "DELETE /v1/holds/{hold_id}.state": "cancelled",
    "DELETE /v1/holds/{hold_id}.version": 2,
    "PlacedOut.copy.hold_id": _HOLD,
    "PlacedOut.copy.state": "on-shelf",
    "PlacedOut.hold.copy_id": _COPY,
    "PlacedOut.hold.position": None,
    "PlacedOut.hold.ready_on": "2021-03-08",
    "PlacedOut.hold.shelf_until": "2021-03-15",
    "PlacedOut.hold.state": "ready",
    "POST /v1/copies/{barcode}/removal.copy.hold_id": None,
    "POST /v1/copies/{barcode}/removal.copy.state": "damaged",
    "POST /v1/copies/{barcode}/removal.hold": None,
    # money
    "StatementOut.spans": [_SUSPENDED, _CHARGED],
    "FineStatementOut.spans": [_SUSPENDED, _CHARGED],
    "FineStatementOut.resumes_on": None,
    "ChargeOut.hold_id": None,
    "ChargeOut.id": _CHARGE,
    "ChargeOut.kind": "fine",
    "ChargeOut.statement_url": f"/v1/charges/{_CHARGE}/statement",
    "ChargeInFull.hold_id": None,
    "ChargeInFull.id": _CHARGE,
    "ChargeInFull.kind": "fine",
    "EntryOut.by": "",
    "EntryOut.id": f"{_CHARGE}.0001.charge",
    "EntryOut.kind": "charge",
    "EntryOut.reason": "",
    "EntryOut.reference": "",
    "WaiverIn.reason": "The patron was in quarantine",
    "POST /v1/charges/{charge_id}/waiver.outstanding_cents": 0,
    "POST /v1/charges/{charge_id}/waiver.version": 2,
    "POST /v1/charges/{charge_id}/waiver.waived_cents": 600,
    "PaymentOut.id": _PAYMENT,
    "PaymentOut.state": "paid",
    "POST /v1/payments 202.state": "pending",
    "RefundOut.id": "01781131-9d20-7ad6-87e9-5f1a0b3c2d18",
    "RefundOut.state": "given",
    "POST /v1/charges/{charge_id}/refund 202.state": "pending",
    # closures, suspensions and their effects
    "SuspensionIn.branches": LEFT_OUT,
    "SuspensionIn.kinds": ["central", "major", "district"],
    "SuspensionOut.branches": [],
    "ConcernedPatron.branches": ["HKCL"],
    "SuspensionOut.id": _SUSPENSION,
    "SuspensionOut.kinds": ["central", "major", "district"],
    "AmendmentIn.reason": LEFT_OUT,
    "AmendmentIn.starts_on": LEFT_OUT,
    "WithdrawalIn.reason": "The libraries stay open",
    "WithdrawalBody.branches": LEFT_OUT,
    "WithdrawalBody.kinds": LEFT_OUT,
    "WithdrawalBody.reason": "The libraries stay open",
    "BranchBody.kind": "central",
    "BranchBody.name": "Hong Kong Central Library",
    "BranchBody.hours": _HOURS,
    "HoursChangeBody.hours": _HOURS,
    "ReopeningBody.hours": _HOURS,
    "BranchOut.closure": None,
    "BranchOut.hours": _HOURS[:1],
    "BranchOut.kind": "central",
    "BranchOut.name": "Hong Kong Central Library",
    "BranchOut.open": True,
    "BranchOut.opens_on": None,
    "BranchOut.weekly_hours": _HOURS,
    "ClosureBody.branches": LEFT_OUT,
    "ClosureBody.from": "2020-12-10",
    "ClosureBody.kinds": ["central"],
    "AmendmentBody.from": "2020-12-10",
    "ReopeningBody.branches": LEFT_OUT,
    "ReopeningBody.kinds": ["central"],
    "ClosureOut.branches": [],
    "ClosureOut.from": "2020-12-10",
    "ClosureOut.id": _CLOSURE,
    "ClosureOut.kinds": ["central"],
    "CoveredOut.kind": "central",
    "CoveredOut.name": "Hong Kong Central Library",
    "CoveredOut.withdrawn": None,
    "POST /v1/closures/{closure_id}/withdrawal.covered.withdrawn": "ended",
    "POST /v1/closures/{closure_id}/withdrawal.withdrawn": True,
    "SuspensionEffectOut.due_date_moves": [],
    "SuspensionEffectOut.loans_moved": 0,
    "ActivityInside.id": "01765b0e-1f40-77a3-9be5-5c8d0e4f7a14",
    "ActivityInside.title": "Reading the Harbour: a Walk in Old Maps",
    "ActivityInside.registered": 38,
    "ActivityInside.waiting": 4,
    "ActivitiesInside.total": 1,
    "LendingEffect.as_of": "2020-12-08",
    "DueDateMoves.from": "2020-12-10",
    "DueDateMoves.loans": 1_204,
    "SweepOut.done": 20_000,
    "SweepOut.state": "moving",
    "SweepOut.total": 52_310,
    "SweepOut.workers": 2,
    # activities, news and messages
    "ActivityIn.title": "Reading the Harbour: a Walk in Old Maps",
    "ActivityIn.language": "Cantonese",
    "ActivityIn.recording": LEFT_OUT,
    "ActivityOut.id": "01765b0e-1f40-77a3-9be5-5c8d0e4f7a14",
    "ActivityOut.title": "Reading the Harbour: a Walk in Old Maps",
    "ActivityOut.language": "Cantonese",
    "ActivityOut.recording": None,
    "ActivityOut.cancelled_at": None,
    "ActivityOut.cancelled_because": None,
    "ActivityChange.branch": LEFT_OUT,
    "ActivityChange.places": 100,
    "CancellationIn.reason": "The speaker is ill",
    "POST /v1/activities/{activity_id}/cancellation.cancelled_at": _NOW,
    "POST /v1/activities/{activity_id}/cancellation.cancelled_because": "The speaker is ill",
    "POST /v1/activities/{activity_id}/cancellation.places_left": 0,
    "POST /v1/activities/{activity_id}/cancellation.version": 2,
    "RegistrationOut.id": _REGISTRATION,
    "RegistrationOut.state": "confirmed",
    "RegistrationOut.position": None,
    "POST /v1/activities/{activity_id}/registration 202.state": "waitlisted",
    "POST /v1/activities/{activity_id}/registration 202.position": 2,
    "POST /v1/activities/{activity_id}/registration 202.turn": 82,
    "DELETE /v1/activities/{activity_id}/registration.state": "cancelled",
    "DELETE /v1/activities/{activity_id}/registration.version": 2,
    "OwnRegistrationOut.id": _REGISTRATION,
    "OwnRegistrationOut.state": "confirmed",
    "OwnRegistrationOut.position": None,
    "OwnRegistrationOut.title": "Reading the Harbour: a Walk in Old Maps",
    "RegisteredOut.id": _REGISTRATION,
    "RegisteredOut.state": "confirmed",
    "RegisteredOut.position": None,
    "RegisteredOut.title": "Reading the Harbour: a Walk in Old Maps",
    "ActivityRow.title": "Reading the Harbour: a Walk in Old Maps",
    "RecordingOut.available_from": "2020-11-20T11:00:00Z",
    "NoticeBody.branches": ["HKCL"],
    "NoticeBody.content": "Open again from 19 February, with special hours and a limit on people.",
    "NoticeBody.kinds": LEFT_OUT,
    "NoticeBody.title": "The Central Library reopens in part",
    "NoticeOut.branches": ["HKCL"],
    "NoticeOut.content": "Open again from 19 February, with special hours and a limit on people.",
    "NoticeOut.id": "0177aef1-8c40-7be7-98fa-6a2b1c4d3e19",
    "NoticeOut.title": "The Central Library reopens in part",
    "NewsRow.content": "Open again from 19 February, with special hours and a limit on people.",
    "NewsRow.library": "Hong Kong Central Library",
    "InboxItemOut.about": {
        "loan_id": _LOAN,
        "title_id": _TITLE,
        "due_on": "2021-02-19",
        "previous_due_on": "2020-12-10",
    },
    "InboxItemOut.also": [],
    "InboxItemOut.at": "2021-02-17T08:00:04Z",
    "InboxItemOut.id": "5b0d8f3a-7c1e-5a94-8d26-9e4f1b7c3a16",
    "InboxItemOut.kind": "loan.due-date-changed",
    "InboxItemOut.text": "“Harbour Lights” is now due on 19 February 2021 instead of 10 December "
    "2020, because the library is closed.",
    "POST /v1/me/inbox/{notification_id}/read.read": True,
    # the account at a glance
    "OverviewOut.charges.amount_cents": 330,
    "OverviewOut.charges.hold_id": "01774b1d-5e60-7cf8-a90b-7b3c2d5e4f20",
    "OverviewOut.charges.kind": "hold-fee",
    "OverviewOut.charges.loan_id": None,
    "OverviewOut.charges.outstanding_cents": 330,
    "OverviewOut.accruing.resumes_on": None,
    "OverviewOut.admission_cards": [],
    "OverviewOut.enquiries": [],
    "TotalsOut.accruing_cents": 600,
    "TotalsOut.holds": 1,
    "TotalsOut.loans": 1,
    "TotalsOut.outstanding_cents": 330,
    "TotalsOut.overdue": 1,
    "SourceOut.as_of": _NOW,
}


class NoWord(LookupError):
    """A field has no example. The text names the field, such as `LoanOut.due_on`."""


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any], *places: str) -> Any:
    """Return an example of the schema; `schemas` are those it may refer to. Raises NoWord.

    `places` say where it is, such as `POST /v1/holds`, the most specific first.
    """
    return _value(schema, schemas, places, "")


def word_for(place: str, parameter: str) -> Any:
    """Return the example of a parameter in this place; None if there is none."""
    return WORDS.get(f"{place}.{parameter}", WORDS.get(parameter))


def _value(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], places: Sequence[str], field: str
) -> Any:
    """Return an example; `places` are the paths to it, from the outermost model to the last."""
    for place in places:
        if field and place in WORDS:
            return WORDS[place]
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        model = schema["$ref"].rpartition("/")[2]
        return _value(schemas[model], schemas, (*places, model), field)
    if "anyOf" in schema:
        known = [one for one in schema["anyOf"] if one.get("type") != "null"]
        if WORDS.get(field, "") is None and len(known) < len(schema["anyOf"]):
            return None
        of = {"default": schema.get("default"), **known[0]}
        return _value(of, schemas, places, field)
    if "properties" in schema:
        return _object(schema, schemas, places)
    if "const" in schema or schema.get("type") == "null":
        return schema.get("const")
    word = WORDS.get(field)
    if "enum" in schema:
        return word if word in schema["enum"] else schema["enum"][0]
    if schema.get("type") == "array" and not isinstance(word, list):
        return [_value(schema["items"], schemas, places, "")]
    if word is not None and word is not LEFT_OUT:
        return word
    if schema.get("default") is not None:
        return schema["default"]
    raise NoWord(places[-1] if places else field)


def _object(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], places: Sequence[str]
) -> dict[str, Any]:
    found = {}
    for name, of in schema["properties"].items():
        ways = [f"{place}.{name}" for place in places]
        value = _value(of, schemas, ways, name)
        if value is not LEFT_OUT:
            found[name] = value
    return found
