"""The page of a title in volumes asks which one, and the account says which one is reserved."""

from tests.gateway.web.browser import Browser
from tests.library import PIN, Library, unique


async def test_the_page_of_a_title_asks_which_volume(library: Library) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    copies = [
        {"barcode": unique("V"), "category": "adult", "branch": branch, "volume": volume}
        for volume in ("v. 10", "v. 2")
    ]
    name = unique("The Set ")
    body = {"title": name, "authors": [], "kind": "book", "copies": copies}
    title = (await library.post("/v1/titles", body, by="staff"))["id"]
    await library.flow.settle(within=60)
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        page = await browser.get("/log-in")
        await browser.submit(page, "/log-in", card_number=card, pin=PIN)
        page = await browser.get(f"/catalogue/{title}")
        [choice] = [select for select in page.selects if select.name == "volume"]
        assert choice.required
        assert list(choice.options.values()) == ["Choose a volume", "v. 2", "v. 10"]

        # Browsers ask for a required choice; the server asks those that don't.
        asked = await browser.submit(page, "", volume="", pickup_branch=branch)
        assert "This title has several volumes. Please choose the one you want." in asked.text
        done = await browser.submit(asked, "", volume="v. 10", pickup_branch=branch)
        assert "A copy is kept for you" in done.text
        account = await browser.get("/")
        assert f"{name} v. 10" in account.text
        [hold] = (await library.get("/v1/me", by=card))["holds"]
        assert (hold["volume"], hold["any_edition"]) == ("v. 10", False)
        assert "Volume v. 10" in (await browser.get(f"/holds/{hold['id']}")).text
