"""After each command about money a page says what it has changed: charges, and who may borrow.

No broker is there, so accounts never learns of a charge: the longest delay that it can have.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from services.circulation.app import create_app as create_circulation
from services.gateway.app import create_app
from services.gateway.web.session import PLACE, SESSION
from services.settings import Settings
from shared.auth import Verifier
from tests.circulation.desk import Desk, branch, noon, settings_for
from tests.gateway.web.browser import Browser, Page, insist
from tests.gateway.web.conftest import SECRETS
from tests.keys import CARD_KEY
from tests.support import SERVICE_KEYS, Api, reaching, served, test_keys, token

STAFF = token("staff-1", ["staff"])
LENT, LATE = "2020-11-02", "2020-11-20"
"""A day, and the fourth day after a loan of it is due: a fine of $6.00."""


@dataclass
class Reader:
    """A patron with a browser, and a librarian at the account's page."""

    gateway: Api
    id: str
    own: Browser
    desk: Browser

    async def lent(self) -> dict[str, Any]:
        """Borrow a copy with a price, and return the loan."""
        [barcode] = await Desk(self.gateway).copies(1)
        body = {"card_number": f"C-{self.id}", "barcodes": [barcode], "branch": "HKCL"}
        answer = await self.gateway.insist("POST", "/v1/checkouts", body, as_=STAFF, at=noon(LENT))
        [result] = answer.json()["results"]
        assert result["ok"], result
        loan: dict[str, Any] = result["loan"]
        return loan

    async def at_desk(self, path: str, action: str, **typed: str) -> Page:
        """Send a form of a page at the desk."""
        page = await insist(partial(self.desk.get, path))
        return await insist(partial(self.desk.submit, page, action, **typed))

    async def at_home(self, path: str, action: str, **typed: str) -> Page:
        """Send a form of a page of the patron."""
        page = await insist(partial(self.own.get, path))
        return await insist(partial(self.own.submit, page, action, **typed))

    async def charge(self, kind: str) -> dict[str, Any]:
        """Return the open charge of a kind."""
        answer = await self.gateway.insist("GET", f"/v1/patrons/{self.id}/charges", as_=STAFF)
        [found] = [
            one
            for one in answer.json()["items"]
            if one["kind"] == kind and (one["outstanding_cents"] or one["refund_due_cents"])
        ]
        return dict(found)

    async def expect(self, *said: Page, owes: int) -> None:
        """Compare pages that said what a command did, and all others, with what the patron owes."""
        account = await insist(partial(self.desk.get, f"/desk/accounts/{self.id}"))
        mine = await insist(partial(self.own.get, "/"))
        for page in (account, mine, *said):
            assert page.status == 200
            if page.path.startswith("/desk/accounts/"):
                assert ("Blocked until charges are paid" in page.text) == bool(owes), page.text
                assert ("Can borrow" in page.text) == (not owes), page.text
                assert (
                    sum(int(value) for name, value in fields_of(page) if name.startswith("cents-"))
                    == owes
                )
            elif page.path == "/":
                sum_ = f"${owes / 100:,.2f}"
                until = f"You can't borrow, renew or reserve until you pay {sum_}."
                assert (until in page.text) == bool(owes), page.text
                assert ("You can't borrow" in page.text) == bool(owes), page.text
        answer = await self.gateway.insist("GET", "/v1/me", as_=token(self.id), at=noon(LATE))
        overview = answer.json()
        assert overview["totals"]["outstanding_cents"] == owes
        blocked = ("blocked", ["money"]) if owes else ("active", [])
        assert (overview["patron"]["status"], overview["patron"]["blocked_by"]) == blocked


def fields_of(page: Page) -> list[tuple[str, str]]:
    """Return all fields of all forms of a page."""
    return [field for form in page.forms for field in form.fields]


@pytest.fixture
async def reader(
    whole: None, settings: Settings, accounts: Api, mongo_url: str, database: str
) -> AsyncIterator[Reader]:
    """A patron who owes nothing, at a gateway with a real accounts and circulation behind it."""

    async def keys() -> dict[str, Any]:
        published = (await accounts.get("/v1/keys")).json()["keys"]
        return {"keys": [*published, *(await test_keys())["keys"]]}

    own = reaching(settings_for(mongo_url, database), accounts=accounts.url)
    more = {"service_key": SERVICE_KEYS["circulation"], "card_key": CARD_KEY}
    async with AsyncExitStack() as stack:
        circulation = await stack.enter_async_context(
            served(create_circulation, own.model_copy(update=more))
        )
        told = reaching(
            settings.model_copy(update=SECRETS), accounts=accounts.url, circulation=circulation.url
        )
        gateway = await stack.enter_async_context(served(create_app, told))
        for api in (accounts, circulation, gateway):
            api.app.state.verifier = Verifier(keys)
        await Desk(circulation).hear(branch())
        body = {
            "card_number": "C-any",
            "pin": "593817",
            "name": "Chan Mei-ling",
            "category": "adult",
            "home_branch": "HKCL",
            "language": "en",
        }
        patron = (await gateway.insist("POST", "/v1/patrons", body, as_=STAFF)).json()["id"]
        card = {"card_number": f"C-{patron}"}
        assert (
            await gateway.insist("PATCH", f"/v1/patrons/{patron}", card, as_=STAFF)
        ).status == 200
        browsers = [
            await stack.enter_async_context(Browser(gateway.url, at=noon(LATE))) for _ in range(2)
        ]
        for browser, known_by in zip(browsers, (token(patron), STAFF), strict=True):
            browser.give(SESSION, known_by)
            browser.give(PLACE, "HKCL")
        yield Reader(gateway, patron, *browsers)


async def test_a_late_return_blocks_and_a_payment_of_the_patron_unblocks(reader: Reader) -> None:
    loan = await reader.lent()
    await reader.expect(owes=0)
    back = await reader.at_desk("/desk/returns", "/desk/returns", barcodes=loan["barcode"])
    assert "$6.00" in back.text
    await reader.expect(back, owes=600)
    paid = await reader.at_home("/", "/payments")
    assert "Paid: $6.00. Thank you." in paid.text
    await reader.expect(paid, owes=0)


async def test_waivers_at_the_desk_block_until_nothing_is_left(reader: Reader) -> None:
    loan = await reader.lent()
    await reader.at_desk("/desk/returns", "/desk/returns", barcodes=loan["barcode"])
    here = f"/desk/charges/{(await reader.charge('fine'))['id']}"
    part = await reader.at_desk(here, here, amount="2.50", reason="A flood")
    assert "$2.50 is waived." in part.text
    await reader.expect(part, owes=350)
    rest = await reader.at_desk(here, here, reason="A flood")
    await reader.expect(rest, owes=0)


async def test_a_loss_at_the_desk_blocks_and_cash_unblocks(reader: Reader) -> None:
    loan = await reader.lent()
    here = f"/desk/loans/{loan['id']}"
    lost = await reader.at_desk(here, f"{here}/loss", price="120.00")
    assert "The item is recorded as lost." in lost.text
    owed = 12_000 + 2_400 + 600
    await reader.expect(lost, owes=owed)
    account = f"/desk/accounts/{reader.id}"
    paid = await reader.at_desk(account, f"{account}/payment")
    assert "A payment of $150.00 in cash is recorded." in paid.text
    await reader.expect(paid, owes=0)
    back = await reader.at_desk("/desk/returns", "/desk/returns", barcodes=loan["barcode"])
    await reader.expect(back, owes=0)
    due = await reader.charge("lost")
    here = f"/desk/charges/{due['id']}"
    refunded = await reader.at_desk(here, f"{here}/refund")
    assert refunded.status == 200
    assert "is to be given back" not in refunded.text
    await reader.expect(refunded, owes=0)


async def test_a_loss_that_the_patron_reports_blocks_until_the_item_is_back(
    reader: Reader,
) -> None:
    [_, loan] = [await reader.lent() for _ in range(2)]
    here = f"/desk/loans/{loan['id']}"
    await reader.at_desk(here, f"{here}/claim", at="2020-11-16")
    said = await reader.at_desk(here, f"{here}/rejection")
    await reader.expect(said, owes=0)
    page = await reader.at_desk(here, f"{here}/loss", price="10.00")
    await reader.expect(page, owes=1_000 + 200 + 600)


async def test_a_renewal_that_charges_a_fine_blocks(reader: Reader) -> None:
    loan = await reader.lent()
    asked = await reader.at_home("/", "/renewals", loan=loan["id"])
    renewed = await insist(partial(reader.own.submit, asked, "/renewals"))
    assert "You've been fined $6.00 for the overdue days." in renewed.text
    await reader.expect(renewed, owes=600)


async def test_a_block_by_the_staff_stays_when_everything_is_paid(reader: Reader) -> None:
    loan = await reader.lent()
    await reader.at_desk("/desk/returns", "/desk/returns", barcodes=loan["barcode"])
    account = f"/desk/accounts/{reader.id}"
    both = await reader.at_desk(account, f"{account}/block", reason="A found card")
    assert "Blocked by the staff: A found card" in both.text
    assert "Blocked until charges are paid" in both.text
    paid = await reader.at_desk(account, f"{account}/payment")
    assert "Blocked by the staff: A found card" in paid.text
    assert "Blocked until charges are paid" not in paid.text
    free = await reader.at_desk(account, f"{account}/unblock", reason="The owner has it")
    await reader.expect(free, owes=0)
