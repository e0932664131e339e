"""The people and machines in these tests, and the events that accounts published."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson

from ops.direct import OPERATOR
from services.accounts.app import SUBSCRIPTIONS
from services.accounts.cardholders.rules import StaffRole
from services.accounts.sign_in.commands.hashes import hash_pin
from services.accounts.staff.commands import AddStaff, add_staff
from shared.clock import wall_clock
from shared.contracts.notices import BranchRegistered
from shared.ids import card_digest
from shared.unit_of_work import Origin, Run
from tests import samples
from tests.support import Api, token

STAFF = token("staff-1", ["staff"])
ADMIN = token("admin-1", ["admin"])
STATION = token("station-1", ["station"])
SERVICE = token("circulation", ["service"])

MEI = {
    "card_number": " hk0001a ",
    "pin": "27-18-28",
    "name": "Chan Mei-ling",
    "category": "adult",
    "home_branch": "KPL",
    "language": "zh-Hant",
    "contact": {"email": "mei@example.org", "phone": "2921 0388"},
}


async def registered(api: Api, **other: Any) -> dict[str, Any]:
    """Register a patron, Mei by default; return the answer that staff get."""
    answer = await api.post("/v1/patrons", {**MEI, **other}, as_=STAFF)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def hired(
    api: Api,
    role: str = "staff",
    card_number: str = "S-1",
    pin: str = "27-18-28",
    email: str | None = "lee@example.org",
) -> str:
    """Add an account with a PIN, as an operator does at the database; return its id."""
    command = AddStaff(
        card_number=card_number,
        card_digest=card_digest(card_number, api.app.state.settings.card_key),
        pin_hash=await hash_pin(pin),
        name=f"A. {role}",
        role=cast(StaffRole, role),
        by=OPERATOR,
        at=wall_clock(),
        email=email,
    )
    account_id, _ = await api.app.state.unit_of_work.run(add_staff, command, Origin(wall_clock()))
    return str(account_id)


async def logged_in(api: Api, card_number: str = "HK0001A", pin: str = "27-18-28") -> str:
    """Log in with a card and a PIN, and return the token."""
    answer = await api.post("/v1/sessions", {"card_number": card_number, "pin": pin})
    assert answer.status == 200, answer.body
    return str(answer.json()["access_token"])


async def events(api: Api) -> list[tuple[str, dict[str, Any]]]:
    """Topic and payload of everything in the outbox, oldest first."""
    rows = api.app.state.database.outbox.find().sort("_id", 1)
    return [(row["topic"], orjson.loads(row["body"])) async for row in rows]


async def pass_time(api: Api, passed: timedelta) -> None:
    """Make all that is counted of attempts and wrong PINs older: its times are the database's."""
    for collection in (api.app.state.database.attempts, api.app.state.database.wrong_pins):
        async for one in collection.find():
            await collection.replace_one({"_id": one["_id"]}, _older(one, passed))


def _older(value: Any, passed: timedelta) -> Any:
    if isinstance(value, datetime):
        return value - passed
    if isinstance(value, dict):
        return {name: _older(one, passed) for name, one in value.items()}
    return [_older(one, passed) for one in value] if isinstance(value, list) else value


async def register_branches(api: Api, *codes: str) -> None:
    """Deliver the registration of branches, as the listener does."""
    handler = SUBSCRIPTIONS.by_topic["branch.registered"].handler
    for code in codes:
        run = Run(
            api.app.state.unit_of_work, Origin(now=datetime.now(UTC)), inbox=code, within=30.0
        )
        await handler(samples.branch(BranchRegistered, 1, code), run)
