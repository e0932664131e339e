"""The page while a service is away: it answers, says so, and recovers by itself."""

import pytest

from tests.gateway.web.browser import Browser
from tests.library import PIN, Library
from tests.support import until

AWAY = "This part of the service is not available at the moment."
PARTS = {
    "accounts": "your details: ",
    "circulation": "loans, reservations and charges: ",
    "notices": "libraries and messages: ",
    "events": "activities and study rooms: ",
}
COMMANDS = {
    "accounts": ("/setting", {}),
    "circulation": ("/renewals", {"all": "1"}),
    "notices": ("/inbox/read", {}),
}


@pytest.mark.parametrize("service", list(PARTS))
async def test_a_page_says_which_parts_are_missing_while_a_service_is_away(
    library: Library, service: str
) -> None:
    library.now = "2020-11-02T10:00:00+08:00"
    branch = await library.branch("central")
    card = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    await library.flow.settle()
    await library.lend(card, [barcode], branch)
    late = "2020-11-20T10:00:00+08:00"
    async with Browser(library.system.gateway_url, at=late) as browser:
        entrance = await browser.get("/log-in")
        await browser.submit(entrance, "/log-in", card_number=card, pin=PIN)
        library.now = late
        await library.job("circulation/overdue")
        await library.flow.settle()
        path, typed = COMMANDS.get(service, ("", {}))
        page = await browser.get("/" if path in ("", "/renewals") else path.removesuffix("/read"))

        process = library.system.process(service)
        process.kill()
        try:

            async def marked() -> bool:
                shown = await browser.get("/info" if service == "events" else "/")
                return shown.status == 200 and PARTS[service] in shown.text

            await until(marked)
            for address in ("/", "/info"):
                assert (await browser.get(address)).status == 200
            if path:
                refused = await browser.submit(page, path, **typed)
                assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
                assert AWAY in refused.text
        finally:
            process.start()

        async def whole() -> bool:
            shown = [await browser.get(address) for address in ("/", "/info")]
            return all(one.status == 200 and "not up to date" not in one.text for one in shown)

        await until(whole)
        if service == "circulation":
            asked = await browser.submit(refused, "/renewals")
            assert "Renewing costs you $6.00" in asked.text
            again = await browser.submit(asked, "/renewals")
            assert "renewed until 4 December 2020. Reference" in again.text
        assert f"Title {barcode}" in (await browser.get("/")).text
