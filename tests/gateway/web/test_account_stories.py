"""Closures, charges and history in a patron's account, on the whole system."""

from functools import partial
from typing import Any

from services.gateway.web.session import SESSION
from tests.gateway.web.browser import Browser, Page, insist
from tests.library import PIN, Library, unique

NOVEMBER_2 = "2020-11-02T10:00:00+08:00"


async def see(library: Library, card: str, *paths: str) -> list[Page]:
    """Log a patron in and return these pages, at the library's business time."""
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        entrance = await insist(lambda: browser.get("/log-in?lang=en"))
        typed = {"card_number": card, "pin": PIN}
        inside = await insist(lambda: browser.submit(entrance, "/log-in", **typed))
        assert inside.path == "/", inside.text
        return [await insist(partial(browser.get, path)) for path in paths]


async def copy_of(library: Library, title: str, branch: str) -> str:
    """Catalogue a copy of a title with this name, and return its barcode."""
    barcode = unique("K")
    copy = {"barcode": barcode, "category": "adult", "branch": branch}
    body = {"title": title, "authors": ["A. Author"], "kind": "book", "copies": [copy]}
    await library.post("/v1/titles", body, by="staff")
    return barcode


async def test_a_ready_item_at_a_closed_library_shows_the_first_collection_day(
    library: Library,
) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("district")
    other, waiting = [await library.patron(branch) for _ in range(2)]
    barcode = await copy_of(library, "Harbour Lights", branch)
    await library.flow.settle()
    await library.lend(other, [barcode], branch)
    await library.reserve(waiting, barcode, branch)
    closure = {"branches": [branch], "from": "2020-11-10", "reopened_on": "2020-11-30"}
    await library.post("/v1/closures", {**closure, "reason": "Repairs"}, by="staff")
    await library.flow.settle()

    library.now = "2020-11-12T10:00:00+08:00"
    back = {"barcodes": [barcode], "branch": branch, "channel": "book-drop"}
    await library.post("/v1/returns", back, by="staff")
    await library.flow.settle()
    account, inbox = await see(library, waiting, "/", "/inbox")
    assert "From 30 November 2020: the library is closed until then." in account.text
    assert f"“Harbour Lights” can be collected at Library {branch} from 30 November 2020" in (
        inbox.text
    )


async def test_the_ledger_of_a_paid_charge_shows_how_it_was_lowered(
    library: Library,
) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("central")
    card = await library.patron(branch)
    barcode = await copy_of(library, "Harbour Lights", branch)
    await library.flow.settle()
    await library.lend(card, [barcode], branch)
    await library.call("PATCH", "/v1/me/preferences", {"keep_history": True}, by=card)
    library.now = "2020-11-20T10:00:00+08:00"  # four days late, $6.00
    await library.take_back([barcode], branch)
    await library.flow.settle()
    [charge] = (await library.get("/v1/me", by=card))["charges"]
    assert (charge["title"], charge["amount_cents"]) == ("Harbour Lights", 600)
    await library.post("/v1/payments", {"charge_ids": [charge["id"]]}, by=card)
    suspension: dict[str, Any] = {"branches": [branch], "starts_on": "2020-11-19"}
    body = {**suspension, "resumes_on": None, "reason": "Repairs"}
    await library.post("/v1/fine-suspensions", body, by="staff")
    await library.job("circulation/rework-fines")
    await library.flow.settle()

    account, page, history = await see(library, card, "/", f"/charges/{charge['id']}", "/history")
    assert "Overdue fine Harbour Lights" in account.text
    assert "Overdue fine Harbour Lights" in page.text
    for entry in (
        "Charged $6.00 $6.00",
        "Paid -$6.00 $0.00",
        "Charge lowered after it was paid: to be refunded -$3.00 -$3.00",
    ):
        assert entry in page.text
    assert "its refunds are given" in history.text


async def test_the_message_about_a_renewal_has_the_whole_title(library: Library) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("central")
    card = await library.patron(branch)
    title = "Lights of the Harbour, or The Night Ferries of Victoria and Their Crews, 1898 to 1970"
    barcode = await copy_of(library, title, branch)
    await library.flow.settle()
    await library.lend(card, [barcode], branch)
    await library.flow.settle()
    async with Browser(library.system.gateway_url, at="2020-11-09T10:00:00+08:00") as browser:
        entrance = await insist(lambda: browser.get("/log-in?lang=en"))
        typed = {"card_number": card, "pin": PIN}
        account = await insist(lambda: browser.submit(entrance, "/log-in", **typed))
        renewed = await insist(lambda: browser.submit(account, "/renewals", all="1"))
    assert f"{title}: renewed until 23 November 2020." in renewed.text


async def test_renew_all_gives_a_reason_that_is_the_same_for_all_items_once(
    library: Library,
) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("central")
    card = await library.patron(branch)
    books = [await copy_of(library, f"Harbour {number}", branch) for number in range(3)]
    late = await copy_of(library, "Owed", branch)
    await library.flow.settle(within=60)
    await library.lend(card, [late], branch)
    library.now = "2020-11-20T10:00:00+08:00"
    await library.lend(card, books, branch)
    await library.take_back([late], branch)
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        entrance = await insist(lambda: browser.get("/log-in?lang=en"))
        typed = {"card_number": card, "pin": PIN}
        account = await insist(lambda: browser.submit(entrance, "/log-in", **typed))
        page = await insist(lambda: browser.submit(account, "/renewals", all="1"))
    reason = "Your account is blocked, so you can't borrow, renew or reserve."
    assert page.text.count(reason) == 1
    # Each is in its message, in the list and on its cover, and one of them is due next.
    assert page.text.count("Harbour") == 10
    assert page.text.count("not renewed either.") == 2


async def test_a_self_service_station_is_told_where_it_belongs(library: Library) -> None:
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        browser.give(SESSION, await library.engage("station"))
        for path, status in (("/?lang=en", 200), ("/desk", 403), ("/desk/returns", 403)):
            page = await insist(partial(browser.get, path))
            assert page.status == status
            assert "is the account of a self-service station" in page.text
            assert "/log-out" in [form.action for form in page.forms]
