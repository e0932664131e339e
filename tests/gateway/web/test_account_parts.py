"""Parts of an account's pages: conversations, receipts, a search among loans, and linked cards."""

import re
from functools import partial
from typing import Any

from services.gateway.web.session import SESSION
from tests.gateway.web.browser import Browser, Page, insist
from tests.library import Library
from tests.support import until

LENT, LATE = "2020-11-02T10:00:00+08:00", "2020-11-20T10:00:00+08:00"


async def test_messages_about_one_loan_are_one_conversation_with_a_link(library: Library) -> None:
    library.now = LENT
    place = await library.branch()
    card = await library.patron(place)
    [barcode] = await library.copies(place, 1)
    await library.lend(card, [barcode], place)
    library.now = LATE
    await library.take_back([barcode], place)
    [charge] = (await library.get("/v1/me/charges", by=card))["items"]
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        browser.give(SESSION, library.tokens[card])
        account = await insist(partial(browser.get, "/"))
        paid = await browser.submit(account, "/payments")
        assert "See your receipts" in paid.text

        async def both() -> list[Any]:
            items = (await library.get("/v1/me/inbox", by=card))["items"]
            kinds = {one["kind"] for one in items if one["about"].get("charge_id")}
            return items if {"fine.assessed", "fine.paid"} <= kinds else []

        items = await until(both)
        page = await browser.get("/inbox")
        [messages] = re.findall(r'<ol class="messages">(.*?)</ol>', page.html, re.DOTALL)
        assert messages.count("<li") == 1 < len(items)
        assert f'href="/charges/{charge["id"]}"' in messages
        read = await browser.submit(page, "/inbox/read")
        assert 'class="new"' not in read.html

        # The receipt is of this patron alone.
        listed = await browser.get("/payments")
        [receipt] = [link for link in listed.links if re.fullmatch(r"/payments/[\w-]+", link)]
        assert f"…{card[-4:]}" in (await browser.get(receipt)).text
        browser.give(SESSION, library.tokens[await library.patron(place)])
        assert (await browser.get(receipt)).status == 404
        assert receipt not in (await browser.get("/payments")).links


async def test_loans_are_found_by_title_and_those_of_linked_cards_are_listed(
    library: Library,
) -> None:
    place = await library.branch()
    card, other = [await library.patron(place) for _ in range(2)]
    mine, theirs = [(await library.copies(place, 1))[0] for _ in range(2)]
    await library.linked(card, other)
    await library.lend(card, [mine], place)
    await library.lend(other, [theirs], place)
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        browser.give(SESSION, library.tokens[card])

        async def listed(query: str) -> Page:
            return await insist(partial(browser.get, f"/{query}"))

        async def with_other() -> bool:
            return f"Title {theirs}" in (await listed("")).text

        await until(with_other)
        found = await listed(f"?q=title+{mine.lower()}")
        assert f"Title {mine}" in found.text
        assert "Renew all" not in found.html.partition('id="loans"')[2]
        none = await listed("?q=nothing")
        assert "No item on loan has this title or barcode." in none.text
