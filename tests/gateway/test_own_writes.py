"""A client reads its own writes, even if the store is slow."""

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.errors import PyMongoError

from services.gateway.app import create_app
from services.gateway.settings import Settings
from services.gateway.views.own_writes import OwnWrites
from shared.coalescer import AT_ONCE
from shared.contracts import circulation
from shared.mongo import Database
from tests import samples
from tests.gateway.conftest import Owner
from tests.support import served, token, until
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


async def test_changes_of_commands_at_one_moment_are_written_together(views: Database) -> None:
    app: Any = SimpleNamespace(state=SimpleNamespace(database=views, verifier=None, streams=None))
    own_writes = OwnWrites(app)
    patrons = [f"patron-{number}" for number in range(30)]

    async def lend(patron_id: str) -> bool:
        loan_id = f"loan-of-{patron_id}"
        loan = samples.loan(circulation.LoanCheckedOut, 1, loan_id, patron_id=patron_id)
        change = {"topic": loan.topic, "data": loan.model_dump(mode="json")}
        return await own_writes.write([change], samples.at(0), within=60)

    with requests_sent() as sent:
        assert all(await asyncio.gather(*map(lend, patrons)))
        # The first of them begin at once, and the others wait for one of these.
        assert 0 < sent.count("update") <= AT_ONCE + 2
    for patron_id in patrons:
        view = await views.account_views.find_one({"_id": patron_id})
        assert view is not None
        assert list(view["loans"]) == [f"loan-of-{patron_id}"]
