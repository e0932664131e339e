"""A copy's way from the shelf to its patron: fetch list, scan and the patron's pages."""

import re
from functools import partial

from services.gateway.web.session import PLACE
from tests.gateway.web.browser import Browser, insist
from tests.gateway.web.test_account_stories import NOVEMBER_2, copy_of, see
from tests.library import Library

LANGUAGES = {
    "en": ("Being fetched from the shelf", "Items to fetch"),
    "zh-Hant": ("正從書架提取", "待提取的資料"),
    "zh-Hans": ("正从书架提取", "待提取的文献"),
}


async def kinds_told(library: Library, card: str) -> list[str]:
    """Return the kinds of a patron's notifications about other things than new devices."""
    inbox = await library.get("/v1/me/inbox", by=card)
    return [one["kind"] for one in inbox["items"] if one["kind"] != "alert.new-device"]


async def test_a_staff_scan_makes_a_fetched_reservation_ready(library: Library) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("district")
    card = await library.patron(branch)
    barcode = await copy_of(library, "Harbour Lights", branch)
    await library.flow.settle(within=60)
    hold = await library.reserve(card, barcode, branch)
    assert hold["state"] == "to-fetch"
    [shown] = (await library.get("/v1/me", by=card))["holds"]
    assert shown["state"] == "to-fetch"
    for language, (words, _) in LANGUAGES.items():
        [account] = await see(library, card, f"/?lang={language}")
        assert words in account.text
    await library.flow.settle(within=60)
    assert await kinds_told(library, card) == []

    async with Browser(library.system.gateway_url, at=library.now) as browser:
        browser.give("carrel_session", library.tokens["staff"])
        browser.give(PLACE, branch)
        for language, (_, heading) in LANGUAGES.items():
            address = f"/desk/lists/to-fetch?lang={language}"
            page = await insist(partial(browser.get, address))
            assert heading in page.text
            assert "Harbour Lights" in page.text
            assert barcode in page.text

        form = await insist(partial(browser.get, "/desk/returns?lang=en"))
        typed = {"barcodes": barcode}
        done = await insist(partial(browser.submit, form, "/desk/returns", **typed))
        assert "To the shelf of reserved items, until 9 November 2020" in done.text
        assert f"For Patron {card}" in done.text
        page = await insist(partial(browser.get, "/desk/fetching"))
        assert "There is nothing to fetch." in page.text  # at the library of the last scan

    [shown] = (await library.get("/v1/me", by=card))["holds"]
    assert (shown["state"], shown["expires_on"]) == ("ready", "2020-11-09")
    await library.flow.settle(within=60)
    assert await kinds_told(library, card) == ["hold.ready"]


async def test_a_copy_missing_from_its_shelf_is_replaced_by_the_next_copy(
    library: Library,
) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("district")
    card = await library.patron(branch)
    barcodes = await library.copies(branch, 2)
    await library.flow.settle(within=60)
    await library.reserve(card, barcodes[0], branch)
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        browser.give("carrel_session", library.tokens["staff"])
        browser.give(PLACE, branch)
        address = "/desk/lists/to-fetch"
        missing = None
        for left in (2, 1):
            page = await insist(partial(browser.get, address))
            [listed] = re.findall(r'value="missing:([^"]+)"', page.html)
            assert listed != missing
            missing = listed
            act = partial(browser.submit, page, f"{address}/act", do=f"missing:{missing}")
            page = await insist(act)
            assert f"{missing} is recorded as lost." in page.text
            assert ("There is nothing to fetch." in page.text) is (left == 1)
    [shown] = (await library.get("/v1/me", by=card))["holds"]
    assert (shown["state"], shown["position"]) == ("waiting", 1)
