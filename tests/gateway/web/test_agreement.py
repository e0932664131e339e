"""After each command that changes money, holds or loans, every block of the next page is true."""

import asyncio
import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import SESSION
from tests.gateway.web.browser import Browser, Page, insist
from tests.library import Library

LENT, LATE, TODAY = (f"{day}T10:00:00+08:00" for day in ("2020-11-02", "2020-11-20", "2020-11-24"))
"""A day, the fourth on which a loan of it is overdue, and the day of the commands."""
BLOCKED = "You can't borrow, renew or reserve until you pay"


@dataclass
class Account:
    """A patron's page of My Account, compared with what the owners say."""

    library: Library
    browser: Browser
    card: str
    commands: list[str] = field(default_factory=list)

    async def ids(self, kind: str) -> list[str]:
        """Return the ids of loans, holds or charges, as circulation lists them."""
        items = (await self.library.get(f"/v1/me/{kind}", by=self.card))["items"]
        return [one["id"] for one in items]

    async def sent(self, path: str, action: str, **typed: str | list[str]) -> Page:
        """Send a form of a page of the patron, and return the page that it leads to."""
        page = await insist(partial(self.browser.get, path))
        shown = await self.browser.submit(page, action, **typed)
        assert shown.status == 200, shown.text
        return shown

    async def after(self, name: str, command: Awaitable[Any]) -> Any:
        """Do a command, and compare the very next page."""
        result = await command
        self.commands.append(name)
        page = result if isinstance(result, Page) and result.path.split("?")[0] == "/" else None
        await self.agrees(page or await self.browser.get("/"))
        return result

    async def agrees(self, page: Page) -> None:
        """Compare every block of the page with circulation."""
        get = partial(self.library.get, by=self.card)
        loans, holds, charges, asked = await asyncio.gather(
            get("/v1/me/loans"),
            get("/v1/me/holds"),
            get("/v1/me/charges"),
            self.library.try_("POST", "/v1/me/renewals?preview=true", by=self.card),
        )
        money, html = LANGUAGES["en"].money, page.html
        open_charges = {
            one["id"]: one["outstanding_cents"]
            for one in charges["items"]
            if one["outstanding_cents"] or one["refund_due_cents"]
        }
        owed = sum(open_charges.values())
        for kind, expected in (
            ("loan", [one["id"] for one in loans["items"]]),
            ("hold", [one["id"] for one in holds["items"]]),
            ("charge", list(open_charges)),
        ):
            shown = re.findall(rf'<a id="{kind}-([^"]+)"', html)
            assert sorted(shown) == sorted(expected), f"{self.commands[-1]}: {kind}"
        for loan in loans["items"]:
            [row] = re.findall(
                rf'<tr[^>]*>(?:(?!</tr>).)*"loan-{loan["id"]}".*?</tr>', html, re.DOTALL
            )
            assert LANGUAGES["en"].day(loan["due_on"], weekday=True) in row, self.commands[-1]
        late = sum(one["due_on"] < self.browser.at[:10] for one in loans["items"])
        for tile, figure in {
            "loans": len(loans["items"]),
            "overdue": late,
            "holds": len(holds["items"]),
            "to-pay": money(owed),
        }.items():
            assert re.search(
                rf'"total-{tile}"[^>]*>[^<]*<strong>{re.escape(str(figure))}<', html
            ), f"{self.commands[-1]}: {tile} is not {figure}"
        assert (f"You owe {money(owed)}" in page.text) == bool(owed), self.commands[-1]
        assert (f"{BLOCKED} {money(owed)}" in page.text) == bool(owed), self.commands[-1]
        assert asked[0] == 200
        results = asked[1]["results"]
        refused = {one["problem"]["code"] for one in results if not one["ok"]}
        assert ("patron-blocked" in refused) == bool(owed and loans["items"]), self.commands[-1]
        for hold in holds["items"]:
            assert (hold["state"] == "ready") <= ("Ready to be collected" in page.text)
        assert ("You have nothing on loan" in page.text) == (not loans["items"])
        assert ("You have nothing to pay" in page.text) == (not open_charges)
        assert ("You have no reservations" in page.text) == (not holds["items"])


async def test_every_block_of_the_next_page_agrees_with_the_owners(library: Library) -> None:
    library.now = LENT
    first, second = [await library.branch() for _ in range(2)]
    card, other = [await library.patron(first) for _ in range(2)]
    late, lost, free = [(await library.copies(first, 1))[0] for _ in range(3)]
    [taken] = await library.copies(first, 1)
    priced = await library.get(f"/v1/copies/{lost}", by="staff")
    await library.call("PATCH", f"/v1/copies/{lost}", {"price_cents": 12800}, by="staff")
    await library.flow.settle()
    patron = (await library.get("/v1/me", by=card))["patron"]["id"]
    await library.lend(other, [taken], first)
    assert priced["barcode"] == lost
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        browser.give(SESSION, library.tokens[card])
        account = Account(library, browser, card)
        after, sent, ids = account.after, account.sent, account.ids

        def at(moment: str) -> None:
            library.now = browser.at = moment

        [late_loan] = await after("check-out", library.lend(card, [late], first))
        at(LATE)
        await after("the day on which it is overdue", asyncio.sleep(0))
        [lost_loan, _] = await after("check-out of two", library.lend(card, [lost, free], first))
        at(TODAY)
        await after("renewal", sent("/", "/renewals", loan=[lost_loan["id"]]))
        await after("renewal of all", sent("/", "/renewals", all="1"))
        copy = await library.get(f"/v1/copies/{taken}", by="staff")
        title = f"/catalogue/{copy['title_id']}"
        await after("reservation", sent(title, "", pickup_branch=first))
        [hold] = await ids("holds")
        path = f"/holds/{hold}"
        await after("change of the library", sent("/", path, pickup_branch=second))
        await after("last day", sent(path, path, expires_on="2021-06-01", pickup_branch=first))
        await after("pause", sent(path, f"{path}/pause", frozen="yes"))
        await after("resumption", sent(path, f"{path}/pause", frozen="no"))
        await after("return by another", library.take_back([taken], first))
        await after("collection", library.lend(card, [taken], first))
        await after("claim", sent(f"/loans/{late_loan['id']}", f"/loans/{late_loan['id']}/claim"))
        await after("return with a fine", library.take_back([late], first))
        if await owed(account):
            await after("payment", sent("/", "/payments"))
        loan = lost_loan["id"]
        await after("loss", sent(f"/loans/{loan}", f"/loans/{loan}/loss"))
        price, processing = sorted(await open_charges(account), key=lambda one: -one[1])
        waiver = {"amount_cents": processing[1], "reason": "It was not their fault"}
        await after("waiver", post(account, f"/v1/charges/{processing[0]}/waiver", waiver))
        part = {"charge_ids": [price[0]], "amount_cents": 800}
        paid = await after("cash in part", post(account, f"/v1/patrons/{patron}/payments", part))
        undone = f"/v1/payments/{paid['id']}/cancellation"
        await after("cancellation", post(account, undone, {"reason": "A mistake"}))
        await after("payment of the price", sent("/", "/payments"))
        await after("return of the lost item", library.take_back([lost], first))
        refund = {"amount_cents": price[1]}
        await after("refund", post(account, f"/v1/charges/{price[0]}/refund", refund))
        await after("reservation of a title", reserved_again(account, taken, first))
        [hold] = await ids("holds")
        await after("cancelled hold", sent(f"/holds/{hold}", f"/holds/{hold}/cancellation"))
    assert len(account.commands) > 20


def post(account: Account, path: str, body: dict[str, Any]) -> Awaitable[Any]:
    """Send a command of the staff."""
    return account.library.post(path, body, by="staff")


async def open_charges(account: Account) -> list[tuple[str, int]]:
    """Return id and amount of each charge that is to be paid."""
    items = (await account.library.get("/v1/me/charges", by=account.card))["items"]
    return [(one["id"], one["outstanding_cents"]) for one in items if one["outstanding_cents"]]


async def owed(account: Account) -> int:
    """Return what is to be paid."""
    return sum(cents for _, cents in await open_charges(account))


async def reserved_again(account: Account, barcode: str, branch: str) -> None:
    """Return a copy, lend it to another patron, and reserve its title."""
    library = account.library
    await library.take_back([barcode], branch)
    await library.lend(await library.patron(branch), [barcode], branch)
    await library.reserve(account.card, barcode, branch)
