"""Every command and every look at a patron by staff or a machine can be recorded.

The client of tests checks each command that it sends (`tests/recorded.py`); these tests walk all
routes of all services.
"""

from collections.abc import Iterator
from importlib import import_module

from services.registry import NAMES
from shared.audit_trail import LOOKING_ROLES, RECORDED_ROLES, is_look
from shared.auth import roles_required
from shared.http.dependencies import run_of
from shared.http.openapi import Operation, operations_of

NOT_ABOUT_PATRONS = {
    "GET /v1/activities/{activity_id}/attendance",
    "GET /v1/copies/{barcode}",
    "GET /v1/copies/{barcode}/gate",
    "GET /v1/copies/{barcode}/history",
    "GET /v1/copies/{barcode}/item",
    "GET /v1/desk-lists",
    "GET /v1/expiring-cards/count",
    "GET /v1/title-imports/{import_id}",
    "GET /v1/fine-suspensions",
    "GET /v1/holds/awaited/{branch}",
    "GET /v1/holds/to-fetch/{branch}",
    "GET /v1/letter-runs",
    "GET /v1/me/passkeys",
    "GET /v1/ops/sweeps",
    *(f"GET /v1/ops/status/{service}" for service in NAMES),
    "GET /v1/policies",
    "GET /v1/tills",
    "GET /v1/card-terms",
    "GET /v1/staff",
    "GET /v1/staff/{staff_id}",
    "GET /v1/staff-requests",
    "GET /v1/policies/{policy_id}/history",
    "GET /v1/branches/{code}/ready-delay",
    "GET /v1/branches/{code}/venue",
    "GET /v1/self-checkouts/{branch}",
    "GET /v1/closures",
    "GET /v1/closures/{closure_id}",
    "GET /v1/closures/{closure_id}/activities",
    "GET /v1/enquiries/count",
    "GET /v1/enquiries/figures",
    "GET /v1/notice-drafts",
    "GET /v1/notice-drafts/{draft_id}",
    "GET /v1/webhooks",
    "GET /v1/wordings",
    "GET /v1/wordings/{kind}/{language}",
}
"""Routes for staff that show nothing about a patron."""


def operations() -> Iterator[Operation]:
    """Yield all operations of all services."""
    for name in NAMES:
        settings = import_module(f"services.{name}.settings").Settings()
        yield from operations_of(import_module(f"services.{name}.app").create_app(settings))


def test_the_caller_of_each_command_is_known_before_its_transaction() -> None:
    """Otherwise the entry is stored after the transaction, which may have committed without it."""
    commands = [one for one in operations() if one.method != "GET" and one.roles & RECORDED_ROLES]
    assert len(commands) > 80
    for one in commands:
        calls = list(one.calls)
        known = next(place for place, call in enumerate(calls) if roles_required(call))
        if run_of in calls:
            assert known < calls.index(run_of), f"{one.method} {one.path}: caller before run"


def test_each_route_for_staff_says_if_it_shows_patrons() -> None:
    reads = {
        f"{one.method} {one.path}": one.calls[0]
        for one in operations()
        if one.method == "GET" and one.roles & LOOKING_ROLES
    }
    looks = {told for told, route in reads.items() if is_look(route)}
    assert len(looks) > 20
    assert reads.keys() - looks == NOT_ABOUT_PATRONS
