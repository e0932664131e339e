"""A client reads its own writes, even if the store is slow."""

import asyncio
import contextlib
import itertools
import types
from collections.abc import Coroutine, Generator
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from pymongo.errors import PyMongoError

from services.gateway.app import create_app
from services.gateway.settings import Settings
from services.gateway.views.own_writes import OwnWrites
from shared.coalescer import AT_ONCE
from shared.contracts import circulation
from shared.deadlines import lengthened
from shared.mongo import Database
from tests import samples
from tests.gateway.conftest import Owner
from tests.support import Answer, served, token, until
from tests.warm import requests_sent

PATRON = token("patron-1")


@pytest.mark.deadlines
@pytest.mark.usefixtures("whole")
async def test_an_account_is_never_shown_without_a_change_that_a_slow_store_has_not_written(
    lending: tuple[Settings, Owner], views: Database
) -> None:
    settings, _ = lending
    await views.account_views.insert_one({"_id": "patron-1"})
    async with served(create_app, settings) as api, await views.client.start_session() as session:
        loan_ids = iter(f"loan-{number}" for number in range(1000))

        async def held() -> str | None:
            """Lend while the patron's view is locked; return the loan if the lock held.

            The account is read before, so that the overview cache has it without the loan.
            """
            assert (await api.insist("GET", "/v1/me", as_=PATRON)).status == 200
            session.start_transaction()
            lock = {"$set": {"locked": True}}
            await views.account_views.update_one({"_id": "patron-1"}, lock, session=session)
            loan_id = next(loan_ids)
            lent = await api.insist("POST", f"/v1/checkouts?loan_id={loan_id}", as_=PATRON)
            assert lent.status == 201, lent.body
            if lent.headers.get("Carrel-Account") == "follows":
                return loan_id
            await ended()
            return None

        async def ended() -> None:
            with contextlib.suppress(PyMongoError):  # the server may have ended it by itself
                await session.abort_transaction()

        lent: str = await until(held, within=60)
        for _ in range(2):
            seen = await api.get("/v1/me", as_=PATRON)
            assert seen.status == 503 or lent in [loan["id"] for loan in seen.json()["loans"]]
        await ended()

        async def shown() -> bool:
            seen = await api.get("/v1/me", as_=PATRON)
            if seen.status == 503:
                return False
            assert lent in [loan["id"] for loan in seen.json()["loans"]]
            return True

        await until(shown, within=60)

        async def written() -> bool:
            view = await views.account_views.find_one({"_id": "patron-1"})
            return view is not None and lent in view.get("loans", {})

        await until(written, within=60)


@types.coroutine
def cancelled_at(nth: int, call: Coroutine[Any, Any, bool]) -> Generator[Any, Any, bool]:
    """Run a call in this task and cancel it when it waits for the nth time.

    Return False if it ends before.
    """
    try:
        waits_for = call.send(None)
        for _ in range(nth):
            yield waits_for
            waits_for = call.send(None)
    except StopIteration:
        return False
    with pytest.raises(asyncio.CancelledError):
        call.throw(asyncio.CancelledError())
    return True


async def test_a_write_that_is_cancelled_anywhere_leaves_its_changes_held_or_written(
    views: Database,
) -> None:
    own_writes = own_writes_on(views)
    for nth in itertools.count():
        loan_id = f"loan-{nth}"
        call = own_writes.write(checked_out(loan_id, "patron-1"), samples.at(0), within=60)
        if not await cancelled_at(nth, call):
            break
        assert own_writes.holds("patron-1") or loan_id in await loans(views, "patron-1")
        await own_writes.write_held_of("patron-1")
        assert loan_id in await loans(views, "patron-1")
        assert not own_writes.holds("patron-1")
    assert nth > 0, "it waits for its write"


@pytest.mark.deadlines
@pytest.mark.usefixtures("whole")
async def test_an_account_is_never_shown_without_a_change_whose_request_was_given_up(
    lending: tuple[Settings, Owner], views: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline of a request may end it while its change is being written."""
    settings, _ = lending
    monkeypatch.setattr("services.gateway.edge.proxy.ANSWER_SECONDS", 0.5)  # before FOLD_SECONDS
    lent = views.client[f"{settings.database_prefix}_circulation"].outbox
    await views.account_views.insert_one({"_id": "patron-1"})

    def create(settings: Settings) -> FastAPI:
        with lengthened():  # not one of a test with another deadline
            return create_app(settings)

    async with served(create, settings) as api, await views.client.start_session() as session:
        loan_ids = iter(f"loan-{number}" for number in range(1000))

        async def given_up() -> tuple[str, Answer] | None:
            """Lend, and read the account, while the patron's view is locked.

            Return the loan and the account if the gateway gave the request up after the owner had
            lent the copy.
            """
            before = await lent.count_documents({})
            session.start_transaction()
            lock = {"$set": {"locked": True}}
            await views.account_views.update_one({"_id": "patron-1"}, lock, session=session)
            loan_id = next(loan_ids)
            answer = await api.post(f"/v1/checkouts?loan_id={loan_id}", as_=PATRON)
            seen = await api.get("/v1/me", as_=PATRON)
            with contextlib.suppress(PyMongoError):  # the server may have ended it by itself
                await session.abort_transaction()
            was_lent = await lent.count_documents({}) > before
            return (loan_id, seen) if answer.status == 503 and was_lent else None

        loan_id, seen = await until(given_up)
        assert seen.status == 503 or loan_id in [loan["id"] for loan in seen.json()["loans"]]
        seen = await api.insist("GET", "/v1/me", as_=PATRON)
        assert loan_id in [loan["id"] for loan in seen.json()["loans"]]


async def test_changes_of_commands_at_one_moment_are_written_together(views: Database) -> None:
    own_writes = own_writes_on(views)
    patrons = [f"patron-{number}" for number in range(30)]

    async def lend(patron_id: str) -> bool:
        change = checked_out(f"loan-of-{patron_id}", patron_id)
        return await own_writes.write(change, samples.at(0), within=60)

    with requests_sent() as sent:
        assert all(await asyncio.gather(*map(lend, patrons)))
        # The first of them begin at once, and the others wait for one of these.
        assert 0 < sent.count("update") <= AT_ONCE + 2
    for patron_id in patrons:
        assert await loans(views, patron_id) == [f"loan-of-{patron_id}"]


def own_writes_on(views: Database) -> OwnWrites:
    app: Any = SimpleNamespace(state=SimpleNamespace(database=views, verifier=None, streams=None))
    return OwnWrites(app)


def checked_out(loan_id: str, patron_id: str) -> list[dict[str, Any]]:
    loan = samples.loan(circulation.LoanCheckedOut, 1, loan_id, patron_id=patron_id)
    return [{"topic": loan.topic, "data": loan.model_dump(mode="json")}]


async def loans(views: Database, patron_id: str) -> list[str]:
    view = await views.account_views.find_one({"_id": patron_id})
    return list((view or {}).get("loans", {}))
