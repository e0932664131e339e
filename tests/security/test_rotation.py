"""Keys and secrets are replaced while 20 callers work, and no request of theirs fails.

Each test takes the steps of docs/security.md as a rolling update does: replicas with the new
settings start, and the former ones stop after their last request, one after another. Passwords at
Kafka and MongoDB are replaced in tests/journeys/test_secured.py.
"""

import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pyotp
import pytest
from standardwebhooks import Webhook as Signature
from standardwebhooks import WebhookVerificationError

from services.accounts.app import create_app as create_accounts
from services.accounts.settings import Settings as AccountsSettings
from services.notices.app import create_app as create_notices
from services.notices.channels.clients.push import encoded
from services.notices.settings import Settings as NoticesSettings
from shared.assertions import assertion, make_key, public_half
from shared.clock import wall_clock
from shared.http.client_address import HEADER, client_header
from tests.accounts.people import hired
from tests.device import VAPID, subscribed
from tests.keys import DERIVING
from tests.library import WEEK
from tests.receiver import Received, Receiver, receiving
from tests.rolling import CALLERS, Balancer, Callers, stopping
from tests.support import PUBLIC_SERVICE_KEYS, SERVICE_KEYS, served, token

BRANCHES = 5
"""Number of doors for visitors: callers at one door change the same occupancy, and would wait."""
OLD, NEW = "the former secret of the tests", "the latest secret of the tests"
PIN = "27-18-28"
MARCH_1 = "2021-03-01T09:00:00+08:00"
MARCH_31 = "2021-03-31T10:20:00+08:00"
STAFF, OPS = token("staff-1", ["staff"]), token("ops-1", ["ops"])
TRACER = token("tracer-1", ["tracer"])

pytestmark = pytest.mark.usefixtures("patient")


# ---- accounts -----------------------------------------------------------------------------------


@pytest.fixture
def settings(of_accounts: AccountsSettings) -> AccountsSettings:
    return changed(of_accounts, service_secret=OLD, signing_secrets=OLD)


def changed(settings: AccountsSettings, **fields: Any) -> AccountsSettings:
    return settings.model_copy(update=fields)


def card(number: int) -> dict[str, str]:
    """Return what a patron or somebody of the staff logs in with."""
    return {"card_number": f"S-{number}", "pin": PIN}


@asynccontextmanager
async def balanced(settings: AccountsSettings, role: str) -> AsyncIterator[Balancer]:
    """Run accounts with an account for each caller, and one of an operator."""
    async with served(create_accounts, settings) as api:
        for number in range(CALLERS):
            body = {**card(number), "name": "Lee"}
            body |= {"category": "adult", "home_branch": "KPL", "language": "en"}
            if role == "patron":
                answer = await api.post("/v1/patrons", body, as_=STAFF)
            else:
                await hired(api, role, f"S-{number}", PIN)
                continue
            assert answer.status == 201, answer.body
        await hired(api, "ops", f"S-{CALLERS}", PIN)
    async with stopping(Balancer(create_accounts, own_tokens=True)) as balancer:
        await balancer.update(settings)
        yield balancer


async def service_session(balancer: Balancer, service: str, key: str = "") -> str:
    """Log in as a service, and return its token."""
    said = assertion(service, key or SERVICE_KEYS[service], "accounts", wall_clock())
    session = await balancer.post("/v1/service-sessions", {"assertion": said})
    return str(session["access_token"])


async def operate(balancer: Balancer, path: str) -> None:
    """Log in as the operator and send a command."""
    session = await balancer.post("/v1/sessions", card(CALLERS))
    await balancer.post(path, as_=session["access_token"])


def patrons_at(balancer: Balancer) -> Callable[[int], Awaitable[None]]:
    """Return the work of patrons: log in, read, renew the session, read, log out."""

    async def work(number: int) -> None:
        session = await balancer.post("/v1/sessions", card(number))
        await balancer.call("GET", "/v1/me/preferences", as_=session["access_token"])
        renewal = {"renewal_token": session["renewal_token"]}
        token = (await balancer.post("/v1/sessions/renewal", renewal))["access_token"]
        await balancer.call("GET", "/v1/me/preferences", as_=token)
        await balancer.call("DELETE", "/v1/sessions/current", as_=token)

    return work


async def test_no_request_fails_while_the_key_that_signs_tokens_is_rotated(
    settings: AccountsSettings,
) -> None:
    async with balanced(settings, "patron") as balancer, Callers(patrons_at(balancer)) as callers:
        kept = (await balancer.post("/v1/sessions", card(0)))["access_token"]
        for _ in range(2):
            await operate(balancer, "/v1/ops/keys/rotate")
            await callers.round()
        await balancer.call("GET", "/v1/me/preferences", as_=kept)


async def test_no_renewal_fails_while_all_keys_that_sign_tokens_are_revoked(
    settings: AccountsSettings,
) -> None:
    async with balanced(settings, "patron") as balancer:
        sessions = [await balancer.post("/v1/sessions", card(number)) for number in range(CALLERS)]

        async def renew_and_read(number: int) -> None:
            """Renew before each read, because a token that was signed before may be refused."""
            renewal = {"renewal_token": sessions[number]["renewal_token"]}
            sessions[number] = await balancer.post("/v1/sessions/renewal", renewal)

        async with Callers(renew_and_read) as callers:
            await operate(balancer, "/v1/ops/keys/revoke")
            await callers.round()
        for session in sessions:
            await balancer.call("GET", "/v1/me/preferences", as_=session["access_token"])


async def test_no_request_fails_while_the_secret_that_seals_is_replaced(
    settings: AccountsSettings,
) -> None:
    async with balanced(settings, "staff") as balancer:

        async def set_up_and_remove(number: int) -> None:
            """Set codes up at one replica, confirm them at another, and remove them."""
            who = card(number)
            factor = await balancer.post("/v1/second-factors", who)
            code = pyotp.TOTP(factor["secret"]).at(datetime.now(UTC))
            body = {**who, "factor_id": factor["factor_id"], "factor_code": code}
            recovery = await balancer.post("/v1/second-factors/confirmation", body)
            for code in recovery["recovery_codes"][:2]:
                await balancer.post("/v1/sessions", {**who, "factor_code": code})
            code = pyotp.TOTP(factor["secret"]).at(datetime.now(UTC), counter_offset=1)
            await balancer.post("/v1/second-factors/removal", {**who, "factor_code": code})

        async with Callers(set_up_and_remove) as callers:
            for secrets in (f"{OLD},{NEW}", f"{NEW},{OLD}"):
                await balancer.update(changed(settings, signing_secrets=secrets))
                await callers.round()
            await operate(balancer, "/v1/ops/keys/rotate")
            await callers.round()
            await balancer.update(changed(settings, signing_secrets=NEW))
            await callers.round()


async def test_no_request_fails_while_the_keys_of_tokens_and_links_are_replaced(
    settings: AccountsSettings,
) -> None:
    async with balanced(settings, "patron") as balancer:
        gateway = await service_session(balancer, "gateway")
        devices = dict.fromkeys(range(CALLERS), "")
        links = {}
        for number in range(CALLERS):
            token = (await balancer.post("/v1/sessions", card(number)))["access_token"]
            made = await balancer.post("/v1/me/calendar", {}, as_=token)
            links[number] = made["path"].removeprefix("/v1/calendars/").removesuffix(".ics")

        async def come_back(number: int) -> None:
            """Log in on a known device at one replica, renew at another, and read the calendar."""
            known = {"device_token": devices[number]} if devices[number] else {}
            session = await balancer.post("/v1/sessions", {**card(number), **known})
            former, devices[number] = devices[number], session["device_token"]
            if former:  # the device stays the same one: its token was accepted
                assert former.split(".")[1] == devices[number].split(".")[1]
            renewal = {"renewal_token": session["renewal_token"]}
            session = await balancer.post("/v1/sessions/renewal", renewal)
            await balancer.call("GET", "/v1/me/preferences", as_=session["access_token"])
            await balancer.post("/v1/calendar-lookups", {"secret": links[number]}, as_=gateway)

        async with Callers(come_back) as callers:
            for order in ("{old},{new}", "{new},{old}"):
                keys = {
                    name: order.format(old=old, new=f"{old}, the next".replace(",", ""))
                    for name, old in DERIVING.items()
                }
                await balancer.update(changed(settings, **keys))
                await callers.round()


async def test_no_request_fails_while_the_key_of_a_service_is_replaced(
    settings: AccountsSettings,
) -> None:
    new = make_key()
    key = SERVICE_KEYS["circulation"]
    async with balanced(settings, "patron") as balancer:

        async def look_up(number: int) -> None:
            """Log in as circulation and ask for a patron."""
            circulation = await service_session(balancer, "circulation", key)
            found = await balancer.call("GET", f"/v1/patrons?card=S-{number}", as_=circulation)
            assert len(found["items"]) == 1

        async with Callers(look_up) as callers:
            both = (public_half(key), public_half(new))
            keys = {**PUBLIC_SERVICE_KEYS, "circulation": both}
            await balancer.update(changed(settings, service_keys=keys))
            key = new
            await callers.round()
            keys["circulation"] = (public_half(new),)
            await balancer.update(changed(settings, service_keys=keys))
            await callers.round()


async def test_no_request_fails_while_the_secret_of_all_services_is_replaced(
    settings: AccountsSettings,
) -> None:
    secret = OLD
    async with balanced(settings, "patron") as balancer:

        async def log_in(number: int) -> None:
            """Log in from an address that the gateway tells with its secret."""
            headers = {HEADER: client_header(f"203.0.113.{number}", secret, whole=True)}
            await balancer.post("/v1/sessions", card(number), headers=headers)

        async with Callers(log_in) as callers:
            await balancer.update(changed(settings, service_secret=NEW))
            await callers.round()
            secret = NEW
            await callers.round()


# ---- notices ------------------------------------------------------------------------------------


@asynccontextmanager
async def noticing(settings: NoticesSettings) -> AsyncIterator[Balancer]:
    """Run notices."""
    async with stopping(Balancer(create_notices, own_tokens=False)) as balancer:
        await balancer.update(settings)
        yield balancer


@pytest.fixture
def of_notices(mongo_url: str, database: str) -> NoticesSettings:
    settings = NoticesSettings(
        mongo_url=mongo_url,
        database_prefix=database,
        roles=("api",),
        simulation=True,
        service_secret=OLD,
        visit_keys=OLD,
        webhook_keys=OLD,
    )
    return settings.model_copy(update=VAPID)


async def test_no_request_fails_while_the_keys_of_visitors_data_are_replaced(
    of_notices: NoticesSettings,
) -> None:
    turns = itertools.count()
    async with noticing(of_notices) as balancer:
        codes = [f"B{number}" for number in range(BRANCHES)]
        venues = []
        for code in codes:
            branch = {"code": code, "name": code, "kind": "district", "hours": WEEK}
            await balancer.post("/v1/branches", branch, as_=STAFF, at=MARCH_1)
            path = f"/v1/branches/{code}/venue"
            venues.append((await balancer.post(path, as_=STAFF))["venue"])
        came: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

        async def visit(number: int) -> None:
            """Register at the door. Every 60 visits another day begins, which has a new key."""
            turn = next(turns)
            at = f"2021-03-{min(turn // 60, 27) + 1:02}T10:20:00+08:00"
            where = number % BRANCHES
            visitor = {"name": f"Visitor {turn}", "phone": "+852 6148 2093"}
            seen = await balancer.post("/v1/visits", visitor | {"venue": venues[where]}, at=at)
            came[codes[where], at].add(visitor["name"])
            await balancer.post("/v1/visits/leavings", {"visit": seen["id"]}, at=at)

        async with Callers(visit) as callers:
            for keys in (f"{OLD},{NEW}", f"{NEW},{OLD}"):
                await balancer.update(of_notices.model_copy(update={"visit_keys": keys}))
                await callers.round()
        for (code, at), names in came.items():
            look = {
                "branch": code,
                "start": at.replace("10:20", "10:00"),
                "until": at.replace("10:20", "11:00"),
                "case_number": "CHP-2021-0417",
                "reason": "A visitor has fallen ill",
            }
            found = await balancer.post("/v1/tracings", look, as_=TRACER, at=MARCH_31)
            assert {one["name"] for one in found["visits"]} == names


async def test_no_request_fails_while_the_keys_of_webhooks_are_replaced(
    of_notices: NoticesSettings,
) -> None:
    async with receiving(Receiver()) as receiver, noticing(of_notices) as balancer:
        body = {"url": receiver.url, "topics": ["loan.due-date-changed"]}
        made = [await balancer.post("/v1/webhooks", body, as_=STAFF) for _ in range(5)]

        async def send_one(number: int) -> None:
            """Have a message sent to a webhook."""
            path = f"/v1/webhooks/{made[number % len(made)]['id']}"
            await balancer.post(f"{path}/tests", as_=STAFF)
            await balancer.post("/v1/ops/jobs/notices/webhooks", as_=OPS)
            await balancer.call("GET", "/v1/webhooks", as_=OPS)

        async with Callers(send_one) as callers:
            for keys in (f"{OLD},{NEW}", f"{NEW},{OLD}"):
                await balancer.update(of_notices.model_copy(update={"webhook_keys": keys}))
                await callers.round()
            new = [
                await balancer.post(f"/v1/webhooks/{one['id']}/secret", as_=STAFF) for one in made
            ]
            await callers.round()
        arrived = receiver.requests[-1]
        assert any(verifies(one["secret"], arrived) for one in new)


def verifies(secret: str, request: Received) -> bool:
    """Return whether a secret has signed a message."""
    try:
        Signature(secret).verify(request.content, request.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_no_request_fails_while_the_key_of_web_push_is_replaced(
    of_notices: NoticesSettings,
) -> None:
    async with noticing(of_notices) as balancer:

        async def subscribe(number: int) -> None:
            """Read the key and add a device, as a browser does after a change of the key too."""
            caller = token(f"patron-{number}")
            path = "/v1/me/push-subscriptions"
            assert (await balancer.call("GET", path, as_=caller))["key"]
            await balancer.post(path, subscribed(f"device-{number}"), as_=caller)

        async with Callers(subscribe) as callers:
            key = encoded(bytes(range(2, 34)))
            await balancer.update(of_notices.model_copy(update={"vapid_private_key": key}))
            await callers.round()
