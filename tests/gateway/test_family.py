"""The account of a linked card: loans and holds, while both views have the link, and no longer."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Any

import pytest

from services.gateway.settings import Settings
from shared.contracts import accounts, circulation
from tests import samples
from tests.support import Api, token

Gateway = Callable[[Settings], AbstractAsyncContextManager[Api]]
Hear = Callable[..., Awaitable[None]]
PATH = "/v1/me/family/patron-2/account"
MEI, TAI, OTHER = token("patron-1"), token("patron-2"), token("patron-3")
NOW = "2021-02-10T10:00:00+08:00"
OF_TAI: dict[str, Any] = {"patron_id": "patron-2"}
SIDES: dict[str, dict[str, str]] = {
    "link-1": {"patron_id": "patron-1", "member_id": "patron-2"},
    "link-2": {"patron_id": "patron-2", "member_id": "patron-1"},
}


@pytest.fixture
async def linked(hear: Hear) -> None:
    """Two patrons whose cards are linked; the second has one of each kind of thing."""
    await hear(samples.title(1, "Harbour Lights"))
    for key, sides in SIDES.items():
        await hear(samples.link(accounts.PatronLinked, 1, key, **sides))
    await hear(samples.loan(circulation.LoanCheckedOut, 1, **OF_TAI))
    await hear(samples.hold(circulation.HoldPlaced, 1, **OF_TAI))
    await hear(samples.fine(1, "charge-1", **OF_TAI))


async def end(hear: Hear, key: str) -> None:
    more: dict[str, Any] = {"linked": False, "by": "member", **SIDES[key]}
    await hear(samples.link(accounts.PatronUnlinked, 2, key, **more))


async def test_a_linked_patron_is_shown_loans_and_holds_and_nothing_else(
    settings: Settings, gateway: Gateway, linked: None
) -> None:
    async with gateway(settings) as api:
        answer = await api.get(PATH, as_=MEI, at=NOW)
        own = (await api.get("/v1/me", as_=TAI, at=NOW)).json()
        mine = (await api.get("/v1/me", as_=MEI, at=NOW)).json()
    shown = answer.json()
    assert (answer.status, set(shown)) == (200, {"patron_id", "loans", "holds"})
    assert (shown["loans"], shown["holds"]) == (own["loans"], own["holds"])
    assert [one["title"] for one in shown["loans"]] == ["Harbour Lights"]
    assert len(own["charges"]) == 1
    assert "private" in answer.headers["Cache-Control"]
    assert mine["family"] == [{"id": "link-1", "patron_id": "patron-2", "version": 1}]
    assert mine["loans"] == []


async def test_only_a_linked_patron_is_shown_an_account(
    settings: Settings, gateway: Gateway, linked: None
) -> None:
    async with gateway(settings) as api:
        for path, as_ in (
            (PATH, OTHER),
            (PATH, TAI),
            ("/v1/me/family/patron-3/account", MEI),
            ("/v1/me/family/nobody/account", MEI),
        ):
            answer = await api.get(path, as_=as_, at=NOW)
            assert (answer.status, answer.json()["code"]) == (404, "not-linked")


@pytest.mark.parametrize("first", SIDES)
async def test_the_end_of_either_side_hides_both_accounts(
    settings: Settings, gateway: Gateway, hear: Hear, linked: None, first: str
) -> None:
    async with gateway(settings) as api:
        await end(hear, first)
        for path, as_ in ((PATH, MEI), ("/v1/me/family/patron-1/account", TAI)):
            assert (await api.get(path, as_=as_, at=NOW)).status == 404


async def test_an_erasure_of_either_patron_hides_the_account(
    settings: Settings, gateway: Gateway, hear: Hear, linked: None
) -> None:
    async with gateway(settings) as api:
        gone: dict[str, Any] = {"patron_id": "patron-2", "status": "erased", "card_digest": ""}
        await hear(samples.patron(accounts.PatronErased, 9, **gone))
        assert (await api.get(PATH, as_=MEI, at=NOW)).status == 404
        # Its link may still arrive.
        await hear(samples.link(accounts.PatronLinked, 1, "link-2", **SIDES["link-2"]))
        assert (await api.get(PATH, as_=MEI, at=NOW)).status == 404


async def test_a_loan_past_its_due_date_is_shown_as_overdue(
    settings: Settings, gateway: Gateway, hear: Hear, linked: None
) -> None:
    due = date(2021, 2, 3)
    await hear(samples.loan(circulation.LoanRenewed, 2, due_on=due, **OF_TAI))
    async with gateway(settings) as api:
        [loan] = (await api.get(PATH, as_=MEI, at=NOW)).json()["loans"]
    assert loan["overdue"] is True
