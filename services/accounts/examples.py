"""Examples of the fields of accounts in the OpenAPI document (see services/examples.py)."""

from collections.abc import Mapping
from typing import Any

from services.examples import CALENDAR, COMMON, MEMBER, NOW, PATRON
from shared.examples import LEFT_OUT

STAFF = "01781105-2b60-79c5-b6d8-4e0f9a2c1d17"
INVITATION = "01780b9d-6f30-7d24-9a4c-7e1f2b5c8d03"
UNSUBSCRIBE = f"{PATRON}.5d1e7a90c4b86f2d3e1a9c7b5f80d264e8a1c3b5d7f90a2c4e6b8d0f1a3c5e7b"

EXAMPLES: Mapping[str, Any] = {
    **COMMON,
    "access_token": "eyJhbGciOiJFZDI1NTE5In0.eyJzdWIiOiIwMTczOGY1ZSJ9.dGhpcyBpcyBub25l",
    "activity_types": ["talk", "workshop"],
    "address": "mei-ling@example.org",
    "assertion": "eyJhbGciOiJFZDI1NTE5In0.eyJzdWIiOiJldmVudHMifQ.dGhpcyBpcyBub25l",
    "blocked_by": [],
    "born_on": "1990-05-17",
    "card": "P0000001",
    "card_digest": "9f2c4e8a1b7d3056c9e4f8a2b6d1037e5c9a8f4b2d6e1073a5c8f9b4e2d70613",
    "channel": "email",
    "channels": ["inbox", "email"],
    "digest": False,
    "reset_code": "40718256",
    "email": "mei-ling@example.org",
    "expires_in": 600,
    "renewal_expires_in": 3600,
    "renewal_token": f"01781131-3a50-7c64-9b2e-7d4f1a8c6e05.1.{64 * 'e'}",
    "followed_branches": ["HKCL"],
    "keep_history": False,
    "new_pin": "135790",
    "kid": "Qm3t8vJ1xZ5nC7bL0kR4sW9yD2fH6gA-uE_pT1oI8jM",
    "made_at": NOW,
    "path": f"/v1/calendars/{CALENDAR}.ics",
    "phone": "9123 4567",
    "pin": "246810",
    "reachable_by": ["email", "sms"],
    "role": "staff",
    "roles": ["patron"],
    "status_reason": None,
    "token": UNSUBSCRIBE,
    "unsubscribe": UNSUBSCRIBE,
    "code": None,
    "PinResetOut.id": "01781131-3a50-7c64-9b2e-7d4f1a8c6e05",
    "POST /v1/pin-resets.expires_in": 900,
    "reset_id": "01781131-3a50-7c64-9b2e-7d4f1a8c6e05",
    "with_titles": False,
    "LookupIn.secret": CALENDAR,
    # linked cards
    "expires_at": "2021-03-15T02:15:00Z",
    "InvitationIn.card_number": "P0000003",
    "GuardianIn.card_number": "P0000003",
    "LinkOut.patron_id": MEMBER,
    "MemberOut.name": "Chan Tai-man",
    "MemberOut.patron_id": MEMBER,
    "ReceivedOut.id": INVITATION,
    "ReceivedOut.name": "Chan Tai-man",
    "SentOut.id": INVITATION,
    "invitation_id": INVITATION,
    "linked_at": NOW,
    "member_id": MEMBER,
    "needs_guardian": False,
    # people
    "PatronRef.id": PATRON,
    "StaffIn.card_number": "S0000002",
    "StaffIn.name": "Ho Ka-ming",
    "RemovalIn.card_number": "S0000002",
    "StaffOut.card_number": "S0000002",
    "StaffOut.disabled_at": None,
    "POST /v1/staff/{staff_id}/disable.disabled_at": NOW,
    "StaffOut.id": STAFF,
    "staff_id": STAFF,
    "StaffOut.name": "Ho Ka-ming",
    "POST /v1/patrons/{patron_id}/block.reason": "The card was found in the street",
    "POST /v1/patrons/{patron_id}/block.blocked_by": ["staff"],
    "POST /v1/patrons/{patron_id}/block.status": "blocked",
    "POST /v1/patrons/{patron_id}/block.status_reason": "The card was found in the street",
    "POST /v1/patrons/{patron_id}/unblock.reason": "The card was given back",
    "DELETE /v1/patrons/{patron_id}.status": "erased",
    "PatronChanges.card_number": LEFT_OUT,
    "PatronChanges.pin": LEFT_OUT,
}
