"""Account views are lost or rebuilt while the library is at work."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ops.audit.snapshots import compare
from ops.audit.system import audit
from ops.infrastructure.processes import System
from services.gateway.views.store.builds import form
from services.gateway.views.store.schema import FORM, INDEXES, WHOLE
from services.settings import Settings
from shared.mongo import Database
from shared.owners import Owners
from tests import patience
from tests.faults.test_kills import day_at_the_library
from tests.library import Library
from tests.ops.command import Ran, carrel
from tests.support import patient_client, until

pytestmark = pytest.mark.embedded


@pytest.fixture
async def views(running: System) -> AsyncIterator[Database]:
    """The gateway's database."""
    settings = running.settings(Settings)
    client = patient_client(settings.mongo_url)
    yield client[f"{settings.database_prefix}_gateway"]
    client.close()


@pytest.fixture
async def patrons(library: Library) -> list[str]:
    """Patrons with loans, charges, notifications and preferences; all events are processed."""
    before = set(library.tokens)
    await day_at_the_library(library, date(2020, 11, 2))
    talk = {"title": "A talk", "type": "talk", "venue": "Hall", "organiser": "The library"}
    await library.post("/v1/activities", talk | {"starts_at": "2021-01-02T10:00:00Z"}, by="staff")
    await library.post("/v1/notices", {"title": "News", "content": "Longer hours"}, by="staff")
    await library.flow.settle(within=60)
    return sorted(set(library.tokens) - before)


async def rebuild(running: System, **more: str) -> Ran:
    settings = running.settings(Settings)
    return await carrel(settings, "rebuild", "gateway", "--json", **running.environment, **more)


async def shown(library: Library, cards: list[str]) -> dict[str, Any]:
    """Return each patron's account and information, without the `sources` of the account."""
    pages = {}
    for card in cards:
        account = await library.get("/v1/me", by=card)
        pages[card] = (account | {"sources": None}, await library.get("/v1/me/info", by=card))
    return pages


@contextlib.asynccontextmanager
async def never_wrong(library: Library, truth: dict[str, Any]) -> AsyncIterator[list[int]]:
    """Read the patrons' accounts continuously; each answer must be correct, or a 503."""
    statuses: list[int] = []
    end = asyncio.Event()

    async def look() -> None:
        while not end.is_set():
            for card, (account, _) in truth.items():
                status, answer = await library.try_("GET", "/v1/me", by=card)
                statuses.append(status)
                if status == 200:
                    assert answer | {"sources": None} == account
                else:
                    assert status == 503

    looking = asyncio.create_task(look())
    try:
        yield statuses
    finally:
        end.set()
        await looking


async def test_lost_views_are_rebuilt_from_the_owners_data(
    running: System, library: Library, patrons: list[str], views: Database
) -> None:
    truth = await shown(library, patrons)
    assert any(account["charges"] for account, _ in truth.values())
    assert any(account["loans"] for account, _ in truth.values())
    assert any(account["activities"] for account, _ in truth.values())
    assert any(account["inbox"]["unread"] for account, _ in truth.values())
    assert any(info["activities"] for _, info in truth.values())
    assert any(info["library_information"] for _, info in truth.values())

    async with never_wrong(library, truth) as statuses:
        await views.client.drop_database(views.name)
        await library.patron(await library.branch())  # something happens meanwhile

        async def served() -> bool:
            return statuses[-1] == 200

        await until(served, within=60)
    assert 503 in statuses
    assert await shown(library, patrons) == truth
    await library.flow.settle()
    assert (await audit(running.settings(Settings))).findings == []
    for name, models in INDEXES.items():
        present = await views[name].index_information()
        assert {model.document["name"] for model in models} <= set(present)


async def test_a_rebuild_serves_the_old_views_until_it_ends(
    running: System, library: Library, patrons: list[str], views: Database
) -> None:
    truth = await shown(library, patrons)
    branch = await library.branch()
    await library.flow.settle()
    # A loan that no event would ever correct.
    ghost = {"version": 9, "state": "open", "due_on": "2020-12-01", "title_id": None}
    await views.account_views.insert_one({"_id": "nobody", "loans": {"ghost": ghost}})

    async def go_on() -> str:
        card = await library.patron(branch)
        await library.lend(card, await library.copies(branch, 3), branch)
        return card

    async with never_wrong(library, truth) as statuses:
        rebuilding = asyncio.create_task(rebuild(running))
        others = [await go_on()]
        while not rebuilding.done():
            others.append(await go_on())
        done = await rebuilding
        others.append(await go_on())

    assert done.code == 0, done.err
    assert set(statuses) == {200}
    built = done.json()
    assert built["resources"]["patrons"] >= len(patrons)
    assert {"preferences", "titles", "loans", "charges", "branches"} <= set(built["resources"])
    await library.flow.settle(within=60)
    found = await audit(running.settings(Settings))
    assert found.findings == []
    for card in others:
        assert len((await library.get("/v1/me", by=card))["loans"]) == 3


async def test_views_of_an_older_format_are_served_until_the_new_ones_are_built(
    library: Library, views: Database, patrons: list[str]
) -> None:
    truth = await shown(library, patrons)
    await views.account_views.update_one({"_id": WHOLE}, {"$unset": {"form": ""}})
    async with never_wrong(library, truth) as statuses:

        async def renewed() -> bool:
            return await form(views) == FORM

        await until(renewed, within=60)
    assert set(statuses) == {200}
    assert await shown(library, patrons) == truth


async def test_a_rebuild_that_was_killed_changes_nothing_and_can_be_run_again(
    running: System, library: Library, patrons: list[str], views: Database, tmp_path: Path
) -> None:
    truth = await shown(library, patrons)
    (tmp_path / "failpoint").write_text("rebuild.built:1")
    killed = await rebuild(running, CARREL_FAILPOINT=str(tmp_path / "failpoint"))
    assert killed.code == -9
    assert [name for name in await views.list_collection_names() if name.startswith("next_")]
    assert await shown(library, patrons) == truth

    await views.leases.delete_one({"_id": "rebuild"})  # otherwise it would be free in half a minute
    assert (await rebuild(running)).code == 0
    assert not [name for name in await views.list_collection_names() if name.startswith("next_")]
    assert await shown(library, patrons) == truth
    assert (await audit(running.settings(Settings))).findings == []


async def test_the_comparison_finds_views_that_differ_from_the_owners(
    running: System,
    library: Library,
    patrons: list[str],
    views: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ops.audit.snapshots.ON_ITS_WAY_SECONDS", 0.1)  # all events are processed
    settings = running.settings(Settings)
    ran = await carrel(settings, "doctor", "--views", "--json", **running.environment)
    [finding] = [found for found in ran.json()["findings"] if found["check"] == "views"]
    assert (finding["level"], "as their owners do" in finding["found"]) == ("ok", True)

    view = await views.account_views.find_one({"charges": {"$gt": {}}})
    assert view is not None
    loan = {"version": 9, "state": "open", "due_on": "2020-12-01", "title_id": None}
    charge = f"charges.{next(iter(view['charges']))}"
    owners = Owners(settings, "gateway")
    for harm, words in (
        ({"$set": {"loans.ghost": loan}}, "loans.ghost of patron"),
        ({"$unset": {charge: ""}}, f"{charge} of patron"),
        ({"$set": {f"{charge}.outstanding_cents": 1}}, "differs in outstanding_cents"),
        ({"$set": {"patron.version": 0}}, "is at version 0, not"),
    ):
        await views.account_views.update_one({"_id": view["_id"]}, harm)
        [difference] = (await compare(views, owners)).differences
        assert words in difference
        assert (await compare(views, owners, sample=1000)).differences == [difference]
        await views.account_views.replace_one({"_id": view["_id"]}, view)
    await views.account_views.delete_one({"_id": view["_id"]})
    found = (await compare(views, owners, sample=1000)).differences
    assert f"patron of patron {view['_id']} is at version 0" in " ".join(found)
    await views.account_views.insert_one(view)
    assert (await compare(views, owners)).differences == []
    await owners.close()

    some = await carrel(
        settings, "doctor", "--views", "--sample", "2", "--json", **running.environment
    )
    [finding] = [found for found in some.json()["findings"] if found["check"] == "views"]
    assert finding["found"].startswith("2 accounts show ")
    assert (await carrel(settings, "doctor", "--sample", "2", **running.environment)).code == 2


async def test_without_an_owner_the_views_stay_as_they_are(
    running: System, library: Library, patrons: list[str]
) -> None:
    truth = await shown(library, patrons)
    nowhere = {"CARREL_EVENTS_URL": "http://127.0.0.1:1"}
    settings = running.settings(Settings)
    environment = {**running.environment, **nowhere}
    refused = await carrel(settings, "rebuild", "gateway", **environment)
    assert refused.code == 1
    assert "events does not answer" in refused.err
    assert await shown(library, patrons) == truth


async def test_a_stream_ends_with_a_message_when_the_gateway_stops(
    library: Library, running: System
) -> None:
    card = await library.patron(await library.branch())
    headers = {"Authorization": f"Bearer {library.tokens[card]}"}
    gateway = running.process("gateway")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{running.gateway_url}/v1/me/stream", headers=headers) as stream,
    ):
        assert stream.status == 200
        await stream.content.readuntil(b"event: account\n")
        stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
        async with patience.within(60):
            rest = await stream.content.read()
        await stopping
    assert rest.endswith(b'event: end\ndata: {"reason":"stopping"}\n\n')
    assert b"retry: " in rest
    gateway.start()
