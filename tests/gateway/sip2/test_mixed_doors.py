"""A day at two libraries whose loans come by SIP2, by the page and at the desk in turn."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle
from typing import Any

import pytest

from ops.audit.system import audit
from services.gateway.web.session import PLACE, SESSION
from services.settings import Settings
from tests.gateway.sip2.conftest import heard_of
from tests.gateway.sip2.station import Station, fields, station
from tests.gateway.web.browser import Browser, Page
from tests.library import PIN, Library

NO_DATE = " " * 18
ROUNDS = 3


def instant(kiosk_date: str) -> str:
    """Return the instant of a date of a station."""
    return datetime.strptime(f"{kiosk_date}+0800", "%Y%m%d    %H%M%S%z").isoformat()


@dataclass
class Doors:
    """A library's station and desk, and the pages of patrons who read there."""

    library: Library
    branch: str
    kiosk: Station
    desk: Browser
    patrons: dict[str, Browser]
    ids: dict[str, str]
    """Patron ids, by card."""
    held: dict[str, set[str]] = field(default_factory=dict)
    """Barcodes that each card has on loan, as the doors have answered."""

    def at(self, date: str) -> None:
        """Let it be another time at all doors."""
        self.kiosk.date, self.library.now = date, instant(date)
        for browser in (self.desk, *self.patrons.values()):
            browser.at = self.library.now

    async def lend_at_kiosk(self, card: str, barcode: str, *, no_block: str = "N") -> None:
        named = {"AO": "HKPL", "AA": card, "AB": barcode, "AC": "", "AD": PIN}
        date = f"N{no_block}{{date}}{NO_DATE}"
        assert (await self.kiosk.ask_checked("11", date, **named)).startswith("121NNY")
        self.held[card].add(barcode)

    async def take_back_at_kiosk(
        self, card: str, barcode: str, *, no_block: str = "N", came: str = "{date}"
    ) -> None:
        named = {"AP": "", "AO": "HKPL", "AB": barcode, "AC": ""}
        answer = await self.kiosk.ask_checked("09", f"{no_block}{{date}}{came}", **named)
        assert answer.startswith("101Y")
        self.held[card].remove(barcode)

    async def lend_at_desk(self, card: str, barcode: str) -> None:
        await self._scan("/desk/lend", barcode, card_number=card)
        self.held[card].add(barcode)

    async def take_back_at_desk(self, card: str, barcode: str) -> None:
        await self._scan("/desk/returns", barcode)
        self.held[card].remove(barcode)

    async def _scan(self, path: str, barcode: str, **typed: str) -> Page:
        page = await self.desk.get(path)
        scanned = await self.desk.submit(page, path, barcodes=barcode, branch=self.branch, **typed)
        assert scanned.status == 200
        assert f"Title {barcode}" in scanned.text
        assert not re.search("Not (lent|returned)", scanned.text), scanned.text
        return scanned

    async def reserve_on_page(self, card: str, barcode: str) -> None:
        """Let a patron reserve a title on its page, and the staff keep the copy on the shelf."""
        copy = await self.library.get(f"/v1/copies/{barcode}", by="staff")
        path, browser = f"/catalogue/{copy['title_id']}", self.patrons[card]
        page = await browser.submit(await browser.get(path), "", pickup_branch=self.branch)
        assert page.status == 200
        assert "kept for you" in page.text.lower() or "reserved" in page.text.lower(), page.text
        await self._scan("/desk/returns", barcode)
        named = {"AO": "HKPL", "AA": card, "AC": "", "AD": PIN}
        answer = await self.kiosk.ask("63", f"001{{date}}{'Y':<10}", **named)
        assert f"|ASTitle {barcode}|" in answer  # ready: the station can lend it to nobody else

    async def pay_at_kiosk(self, card: str, amount: str) -> None:
        named = {"AO": "HKPL", "AA": card, "AC": "", "AD": PIN}
        paid = await self.kiosk.ask_checked("37", "{date}0400HKD", BV=amount, **named)
        assert paid.startswith("38Y"), paid
        assert fields(await self.kiosk.ask("23", "001{date}", **named), 35)["BV"] == "0.00"

    async def check(self, card: str) -> dict[str, str]:
        """Check that all doors and the owner show what a patron has; return due days by barcode."""
        held, named = self.held[card], {"AO": "HKPL", "AA": card, "AC": "", "AD": PIN}
        answer = await self.kiosk.ask("63", f"001{{date}}{'  Y':<10}", **named)
        assert set(re.findall(r"\|AU([^|]*)", answer)) == held
        for page in (
            await self.patrons[card].get("/"),
            await self.desk.get(f"/desk/accounts/{self.ids[card]}"),
        ):
            listed = {one for one in self._barcodes() if f"Title {one}" in page.text}
            assert listed == held, page.path
        path = f"/v1/loans?patron={self.ids[card]}&out_only=true"
        owned = (await self.library.get(path, by="staff"))["items"]
        due = {loan["barcode"]: loan["due_on"] for loan in owned}
        assert set(due) == held
        for barcode, day in due.items():
            item = fields(await self.kiosk.ask("17", "{date}", AO="HKPL", AB=barcode), 24)
            assert item["AH"] == f"{day.replace('-', '')}    235900"
        return due

    def _barcodes(self) -> set[str]:
        return set().union(*self.held.values())

    async def loan_of(self, card: str, barcode: str) -> dict[str, Any]:
        loans: list[dict[str, Any]] = (await self.library.get("/v1/me", by=card))["loans"]
        return next(loan for loan in loans if loan["barcode"] == barcode)


@pytest.fixture
async def doors(library: Library) -> AsyncIterator[list[Doors]]:
    """Two libraries with the same patrons."""
    async with AsyncExitStack() as stack:
        found: list[Doors] = []
        branches = [await heard_of(library), await heard_of(library)]
        cards = [await library.patron(branches[0]) for _ in range(ROUNDS)]
        patrons, ids = {}, {}
        for card in cards:
            browser = Browser(library.system.gateway_url, at=library.now)
            patrons[card] = await stack.enter_async_context(browser)
            browser.give(SESSION, library.tokens[card])
            ids[card] = (await library.get("/v1/me", by=card))["patron"]["id"]
        held: dict[str, set[str]] = {card: set() for card in cards}
        for branch in branches:
            desk = Browser(library.system.gateway_url, at=library.now)
            await stack.enter_async_context(desk)
            desk.give(SESSION, library.tokens["staff"])
            desk.give(PLACE, branch)
            kiosk = await stack.enter_async_context(station(library.system.sip2_port))
            name = await library.hire("station")
            till = {"branch": branch, "name": "", "float_cents": 0}
            await library.post("/v1/tills", till, by="staff")
            assert await kiosk.ask("93", "00", CN=name, CO=PIN, CP=branch) == "941"
            found.append(Doors(library, branch, kiosk, desk, patrons, ids, held))
        yield found


async def test_a_day_of_mixed_doors(library: Library, doors: list[Doors]) -> None:
    first, second = doors
    cards, turns = list(first.patrons), cycle(doors)
    lent: list[tuple[str, str, str, str]] = []
    for card in cards:
        here = next(turns)
        by_kiosk, by_desk, by_page = [(await library.copies(here.branch, 1))[0] for _ in range(3)]
        await library.flow.settle()
        await here.lend_at_kiosk(card, by_kiosk)
        await here.check(card)
        await here.lend_at_desk(card, by_desk)
        await here.check(card)
        await here.reserve_on_page(card, by_page)
        await here.lend_at_kiosk(card, by_page)
        await here.pay_at_kiosk(card, "3.30")  # the fee of a hold that was collected
        await here.check(card)
        lent.append((card, by_kiosk, by_desk, by_page))

    await library.flow.settle()  # the payments have ended the blocks
    for there in doors:
        there.at("20201110    100000")
    for card, by_kiosk, by_desk, by_page in lent:
        here, before = next(turns), await first.check(card)
        browser, desk = here.patrons[card], f"/desk/accounts/{here.ids[card]}"
        loan = await here.loan_of(card, by_kiosk)
        await browser.submit(await browser.get("/"), "/renewals", loan=loan["id"])
        named = {"AO": "HKPL", "AA": card, "AB": by_desk, "AC": "", "AD": PIN}
        assert (await here.kiosk.ask("29", "NN{date}" + NO_DATE, **named)).startswith("301Y")
        loan = await here.loan_of(card, by_page)
        page = await here.desk.get(desk)
        await here.desk.submit(page, f"{desk}/loans", loan=loan["id"], do="renew")
        after = await first.check(card)
        assert all(after[barcode] > before[barcode] for barcode in before)
        assert await second.check(card) == after

    # The station of the first library is cut off from 14:00 to 15:00; the desk goes on.
    card, by_kiosk, by_desk, by_page = lent[0]
    other = lent[1][0]
    cut_off = (await library.copies(first.branch, 1))[0]
    taken_twice = (await library.copies(first.branch, 1))[0]
    await library.flow.settle()
    for there in doors:
        there.at("20201110    144000")
    await first.take_back_at_desk(card, by_desk)
    await first.check(card)
    for there in doors:
        there.at("20201110    150000")
    first.kiosk.date = "20201110    141000"
    await first.lend_at_kiosk(other, cut_off, no_block="Y")
    first.kiosk.date = "20201110    142000"
    await first.lend_at_kiosk(other, taken_twice, no_block="Y")
    first.kiosk.date = "20201110    143000"
    await first.take_back_at_kiosk(other, taken_twice, no_block="Y")
    await first.take_back_at_kiosk(card, by_kiosk, no_block="Y")
    first.kiosk.date = "20201110    141000"
    await first.lend_at_kiosk(other, cut_off, no_block="Y")  # its answer was lost
    first.at("20201110    150000")
    for reader in (card, other):
        assert await first.check(reader) == await second.check(reader)
    loans = await library.get(f"/v1/loans?patron={first.ids[other]}", by="staff")
    reported = {loan["barcode"]: loan for loan in loans["items"]}
    assert reported[cut_off]["borrowed_on"] == "2020-11-10"
    assert reported[taken_twice]["state"] == "returned"
    conflicts = (await library.get("/v1/offline-conflicts?limit=200", by="staff"))["items"]
    assert not {cut_off, taken_twice} & {one["barcode"] for one in conflicts}

    for there in doors:
        there.at("20201110    190000")
    await second.take_back_at_kiosk(card, by_page)
    for reader, *barcodes in lent[1:]:
        for barcode in barcodes:
            await next(turns).take_back_at_desk(reader, barcode)
    # Brought back on its last day, and reported after midnight: nothing is overdue.
    assert (await first.check(other))[cut_off] == "2020-11-24"
    for there in doors:
        there.at("20201125    002000")
    await second.take_back_at_kiosk(other, cut_off, no_block="Y", came="20201124    234000")
    for reader in cards:
        assert await first.check(reader) == await second.check(reader) == {}
        [fee] = (await library.get("/v1/me/charges", by=reader))["items"]
        assert (fee["kind"], fee["outstanding_cents"]) == ("hold-fee", 0)
    await library.flow.settle()
    assert (await audit(library.system.settings(Settings))).findings == []
