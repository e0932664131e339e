"""Each owning service is away in turn, killed or stopped: other commands go on, and it recovers."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from ops.infrastructure.child import Child
from ops.infrastructure.processes import System
from services.accounts.settings import Settings
from services.gateway.edge.liveness import FAILURES
from services.registry import OWNERS
from tests.faults.load import HUNG_SECONDS
from tests.faults.report import record
from tests.library import PIN, Library, unique
from tests.support import patient_client, until

pytestmark = pytest.mark.embedded

FAULTS: dict[str, tuple[Callable[[Child], None], Callable[[Child], None]]] = {
    "killed": (Child.kill, Child.start),
    "stopped": (Child.suspend, Child.resume),
}


def commands(library: Library, card: str, branch: str, barcode: str) -> dict[str, Any]:
    """Return a command for each owner: caller, path and body."""
    patron = {
        "card_number": unique("C"),
        "pin": PIN,
        "name": "Somebody",
        "category": "adult",
        "home_branch": branch,
        "language": "en",
    }
    talk = {"title": "A talk", "type": "talk", "venue": "Hall", "organiser": "The library"}
    return {
        "accounts": ("staff", "/v1/patrons", patron),
        "circulation": (
            "staff",
            "/v1/checkouts",
            {"card_number": card, "barcodes": [barcode], "branch": branch},
        ),
        "events": ("staff", "/v1/activities", {**talk, "starts_at": library.now}),
        "notices": ("staff", "/v1/notices", {"title": "News", "content": "Longer hours"}),
    }


async def attempt(library: Library, command: Any, key: str) -> int:
    """Send a command once; return its status. A 503 must have a Retry-After."""
    by, path, body = command
    headers = {
        "Authorization": f"Bearer {library.tokens[by]}",
        "Idempotency-Key": key,
        "Carrel-Time": library.now,
    }
    url = library.system.gateway_url + path
    async with (
        asyncio.timeout(HUNG_SECONDS),
        library._session.post(url, json=body, headers=headers) as answer,
    ):
        said = await answer.json(content_type=None)
    if answer.status >= 400:
        assert (answer.status, said["code"]) == (503, "unavailable"), said
        assert int(answer.headers["Retry-After"]) > 0
    return answer.status


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("owner", OWNERS)
async def test_without_an_owner_the_account_is_marked_and_other_services_work(
    running: System, library: Library, owner: str, fault: str
) -> None:
    harm, heal = FAULTS[fault]
    branch = await library.branch()
    await library.flow.settle(within=60)
    card = await library.patron(branch)
    lent, wanted = await library.copies(branch, 2)
    await library.lend(card, [lent], branch)
    assert (await library.get("/v1/me", by=card))["loans"]
    asked = commands(library, card, branch, wanted)
    key = unique("K")
    process = running.process(owner)
    harm(process)
    try:

        async def marked() -> bool:
            account = await library.get("/v1/me", by=card)
            info = await library.get("/v1/me/info", by=card)
            assert [loan["barcode"] for loan in account["loans"]] == [lent]
            assert account["sources"].keys() == set(OWNERS)
            live = account["sources"] | info["sources"]
            return all(live[name]["live"] is (name != owner) for name in live)

        await until(marked)
        # Enough concurrent calls to open the circuit; those after them are refused at once.
        tries = [attempt(library, asked[owner], key) for _ in range(FAILURES)]
        assert set(await asyncio.gather(*tries)) == {503}
        assert await attempt(library, asked[owner], key) == 503
        for other in set(OWNERS) - {owner}:
            if (owner, other) != ("accounts", "circulation"):  # circulation asks accounts
                by, path, body = asked[other]
                await library.post(path, body, by=by)
    finally:
        heal(process)
    healed = time.monotonic()

    async def done() -> bool:
        return await attempt(library, asked[owner], key) < 400

    await until(done, within=30)
    record(
        f"each of the four services {fault} in turn",
        running,
        invariant="the account is shown, marked; commands to it have 503 in 2 s; the rest works",
        recovery=time.monotonic() - healed,
    )


async def test_a_gateway_verifies_tokens_while_accounts_is_away(
    running: System, library: Library
) -> None:
    card = await library.patron(await library.branch())
    await library.flow.settle(within=60)
    settings = running.settings(Settings)
    client = patient_client(settings.mongo_url)
    known = client[f"{settings.database_prefix}_gateway"].known_keys
    gateway, accounts = running.process("gateway"), running.process("accounts")

    async def keys() -> list[str]:
        kept = await known.find_one() or {"keys": []}
        return [key["kid"] for key in kept["keys"]]

    async def ask_accounts(path: str, body: Any = None, by: str = "") -> Any:
        headers = {"Authorization": f"Bearer {library.tokens[by]}"} if by else {}
        url = running.url("accounts") + path
        async with library._session.post(url, json=body, headers=headers) as answer:
            assert answer.status in (200, 201), await answer.text()
            return await answer.json()

    try:
        await asyncio.to_thread(gateway.stop)
        await known.delete_many({})  # like a new gateway
        await asyncio.to_thread(gateway.start)
        await until(keys, within=30)
        new = (await ask_accounts("/v1/ops/keys/rotate", by="ops"))["kid"]

        async def knows_new() -> bool:
            return new in await keys()

        await until(knows_new, within=60)
        session = await ask_accounts("/v1/sessions", {"card_number": card, "pin": PIN})
        await asyncio.to_thread(accounts.kill)
        try:
            before = await library.get("/v1/me", by=card)
            library.tokens[card] = session["access_token"]
            after = await library.get("/v1/me", by=card)
        finally:
            await asyncio.to_thread(accounts.start)
        assert before["patron"] == after["patron"]
        assert after["patron"]["id"] == session["patron_id"]
    finally:
        client.close()
