"""At the desk a supervisor lends despite a refusal, with a reason; other librarians can't."""

from functools import partial

from services.gateway.web.session import PLACE, SESSION
from tests.gateway.web.browser import Browser, insist
from tests.gateway.web.test_account_stories import NOVEMBER_2, copy_of
from tests.library import Library
from tests.support import until

REASON = "Needs it for an examination"


async def test_a_supervisor_lends_to_a_blocked_reader_with_a_reason(library: Library) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("district")
    card = await library.patron(branch)
    barcode = await copy_of(library, "Harbour Lights", branch)
    found = await library.get(f"/v1/patrons?card={card}", by="staff")
    patron_id = found["items"][0]["id"]
    await library.call("POST", f"/v1/patrons/{patron_id}/block", {"reason": "noise"}, by="staff")
    await library.flow.settle(within=60)
    for role in ("staff", "supervisor"):
        token = await library.engage(role)
        async with Browser(library.system.gateway_url, at=NOVEMBER_2) as desk:
            desk.give(SESSION, token)
            desk.give(PLACE, branch)
            form = await insist(partial(desk.get, "/desk/lend?lang=en"))
            lending = await insist(partial(desk.submit, form, "/desk/lend", card_number=card))
            page = await insist(partial(desk.submit, lending, "/desk/lend", barcodes=barcode))
            assert "The account is blocked, so the reader can't borrow" in page.text
            assert ("Lend all the same" in page.text) == (role == "supervisor")
            if role == "supervisor":
                done = await insist(partial(desk.submit, page, "/desk/lend", override=REASON))
                assert f"{barcode} Harbour Lights Lent" in done.text
    kept = await library.get(f"/v1/loans/overrides/{patron_id}", by="staff")
    assert [(one["code"], one["reason"]) for one in kept["items"]] == [("patron-blocked", REASON)]


async def test_the_page_of_a_title_says_the_fee_and_the_place_before_it_is_reserved(
    library: Library,
) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("district")
    first, second = [await library.patron(branch) for _ in range(2)]
    barcode = await copy_of(library, "Harbour Lights", branch)
    await library.flow.settle(within=60)
    await library.lend(first, [barcode], branch)
    copy = await library.get(f"/v1/copies/{barcode}", by="staff")
    async with Browser(library.system.gateway_url, at=NOVEMBER_2) as browser:
        browser.give(SESSION, library.tokens[second])
        path = f"/catalogue/{copy['title_id']}?lang=en"
        told = "You would be number 1 in the queue. When you collect it, you pay a fee of"

        async def is_told() -> bool:  # the page does without it if the machine is busy
            return told in (await insist(partial(browser.get, path))).text

        await until(is_told)
