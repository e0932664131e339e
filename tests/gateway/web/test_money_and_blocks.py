"""After each command a page says what it has changed: items, charges, notes, and who may borrow.

No broker is there, so accounts never learns of a charge, nor circulation of a block or an extended
card: the longest delay that they can have.
"""

import re
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
MOST_BYTES = 60_000
"""Size of a page of the desk."""


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

    async def at_desk(self, path: str, action: str, **typed: Any) -> Page:
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

    async def owners_say(self) -> dict[str, Any]:
        """Return what the owners have of the account, by block of its page at the desk."""
        paths = {
            "loans": f"/v1/loans?patron={self.id}&out_only=true",
            "holds": f"/v1/holds?patron={self.id}",
            "charges": f"/v1/patrons/{self.id}/charges?open_only=true",
            "payments": f"/v1/patrons/{self.id}/payments",
            "notes": f"/v1/patrons/{self.id}/notes",
        }
        found = {}
        for name, path in paths.items():
            answer = await self.gateway.insist("GET", path, as_=STAFF, at=noon(LATE))
            found[name] = answer.json()
        return found

    async def agrees(self, page: Page) -> Page:
        """Compare each block of the page at the desk with its owner; return the page."""
        assert page.status in (200, 409, 422), page.text
        assert page.path.startswith(f"/desk/accounts/{self.id}")
        said = await self.owners_say()
        shown: dict[str, list[str]] = {}
        boxes = re.findall(r'type="checkbox" name="(\w+)" value="([^"]+)"', page.html)
        for name, value in boxes:
            shown.setdefault(name, []).append(value)
        assert sorted(shown.get("loan", [])) == sorted(one["id"] for one in said["loans"]["items"])
        assert shown.get("hold", []) == [one["id"] for one in said["holds"]["items"]]
        owing = [one for one in said["charges"]["items"] if one["outstanding_cents"]]
        assert shown.get("charge", []) == [one["id"] for one in owing]
        cents = dict(field for field in fields_of(page) if field[0].startswith("cents-"))
        assert cents == {f"cents-{one['id']}": str(one["outstanding_cents"]) for one in owing}
        assert ("Blocked until charges are paid" in page.text) == said["charges"]["blocked"]
        links = [one.partition("?")[0] for one in page.links]
        receipts = [one for one in links if one.startswith("/desk/payments/")]
        paid = [f"/desk/payments/{one['id']}" for one in said["payments"]["items"]]
        assert [*dict.fromkeys(receipts)] == paid
        for note in said["notes"]["items"]:
            assert note["text"] in page.text
        assert page.html.count("note-of-staff") == len(said["notes"]["items"])
        for loan in said["loans"]["items"]:
            state = "Lost" if loan["lost_on"] else "Said to be back"
            if loan["lost_on"] or loan["claimed_returned_on"]:
                assert state in page.text
        assert len(page.html.encode()) <= MOST_BYTES
        return page

    async def does(self, action: str, **typed: Any) -> Page:
        """Send a form of the account's page at the desk, which then agrees with the owners."""
        here = f"/desk/accounts/{self.id}"
        return await self.agrees(await self.at_desk(here, f"{here}/{action}", **typed))

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


async def test_renewing_a_loan_at_the_desk_that_has_been_returned_says_so(reader: Reader) -> None:
    loan = await reader.lent()
    here = f"/desk/loans/{loan['id']}"
    before = await insist(partial(reader.desk.get, f"{here}?lang=en"))
    await reader.at_desk("/desk/returns", "/desk/returns", barcodes=loan["barcode"])
    after = await insist(partial(reader.desk.submit, before, f"{here}/renewal"))
    assert after.text.count("This item has been returned already.") == 2  # and the loan's state
    assert "can't be undone" not in after.text


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


async def test_after_each_command_the_page_agrees_with_the_owners(reader: Reader) -> None:
    loans = [await reader.lent() for _ in range(3)]
    first, second, third = [loan["id"] for loan in loans]
    page = await reader.does("loans", do="renew", loan=[first])
    assert "Renewed: 1. The fines so far are charged: $6.00." in page.text

    # The reader owes too much now: the rest is refused, and stays chosen.
    page = await reader.does("loans", do="renew-all")
    assert "Not everything was done." in page.text
    assert "then it can be renewed" in page.text
    fine = await reader.charge("fine")

    page = await reader.does("payment", charge=[fine["id"]], taken="20", part="2.50")
    assert "A payment of $2.50 in cash is recorded. Give $17.50 change." in page.text
    page = await reader.does("payment", taken="1")
    assert "The cash given is less than what is selected." in page.text
    assert "Book as part payment: $2.50 stays to be paid" in page.text
    page = await reader.does("payment", taken="1", do="part")
    assert "A payment of $1.00 in cash is recorded." in page.text
    page = await reader.does("payment", do="waive", waived_because="A flood")
    assert "$2.50 is waived." in page.text
    assert "Can borrow" in page.text
    newest = next(one for one in page.links if one.startswith("/desk/payments/"))
    receipt = await insist(partial(reader.desk.get, newest))
    assert "Paid in cash $1.00" in receipt.text

    page = await reader.does("loans", do="claim", loan=[second])
    assert "Recorded as said to be back: 1." in page.text
    page = await reader.does("loans", do="loss", loan=[third])
    assert "The price of this item is not recorded. Enter it." in page.text

    [barcode] = await Desk(reader.gateway).copies(1)
    page = await reader.does("hold", q="Nothing like this")
    assert "No item and no title is found." in page.text
    page = await reader.does("hold", q=barcode, pickup="HKCL")
    assert "Reserved: " in page.text
    page = await reader.does("hold", q=barcode, pickup="HKCL")
    assert "The reader has reserved this title already." in page.text
    [hold] = (await reader.owners_say())["holds"]["items"]
    page = await reader.does("holds", do="cancel", hold=[hold["id"]])
    assert "Cancelled: 1." in page.text

    page = await reader.does("note", text="Glasses found")
    [note] = (await reader.owners_say())["notes"]["items"]
    page = await reader.does("note-removal", note=note["id"])
    assert "Glasses found" not in page.text


async def test_a_payment_is_refused_if_too_little_was_given_and_stays_typed(
    reader: Reader,
) -> None:
    loan = await reader.lent()
    await reader.at_desk("/desk/returns", "/desk/returns", barcodes=loan["barcode"])
    account = f"/desk/accounts/{reader.id}"
    page = await reader.at_desk(account, f"{account}/payment", taken="2", part="5")
    assert "Less was given than is to be paid of it now." in page.text
    assert ("taken", "2") in page.form(f"{account}/payment").fields
    page = await reader.at_desk(account, f"{account}/payment", do="waive")
    assert "Enter the reason for which it is waived." in page.text
    await reader.expect(owes=600)


async def test_an_unblocked_reader_and_an_extended_card_borrow_at_once(reader: Reader) -> None:
    await reader.does("block", reason="A found card")
    [barcode] = await Desk(reader.gateway).copies(1)
    body = {"card_number": f"C-{reader.id}", "barcodes": [barcode], "branch": "HKCL"}

    async def refused() -> str | None:
        at = noon(LATE)
        answer = await reader.gateway.insist("POST", "/v1/checkouts", body, as_=STAFF, at=at)
        [result] = answer.json()["results"]
        return result["problem"]["code"] if result["problem"] else None

    assert await refused() == "patron-blocked"
    await reader.does("unblock", reason="The owner has it")
    expired = {"card_expires_on": "2020-11-01"}
    path = f"/v1/patrons/{reader.id}"
    await reader.gateway.insist("PATCH", path, expired, as_=STAFF)
    await reader.does("block", reason="Once more")
    assert await refused() in ("patron-blocked", "card-expired")
    await reader.does("unblock", reason="The owner has it")
    assert await refused() == "card-expired"
    page = await reader.does("renewal")
    assert "cards of this kind are valid. Enter a day under Details." in page.text
    await reader.gateway.insist("PATCH", path, {"card_expires_on": "2021-11-01"}, as_=STAFF)
    assert await refused() is None
    await reader.agrees(await insist(partial(reader.desk.get, f"/desk/accounts/{reader.id}")))
