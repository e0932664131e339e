"""The desk's pages of a patron's account: details, card, PIN, block, loans and charges."""

from collections.abc import AsyncIterator
from functools import partial

import pytest

from services.settings import Settings
from tests.gateway.web.browser import Browser, Page, insist
from tests.library import PIN, Library, unique
from tests.support import patient_client

LATE = "2020-11-20T10:00:00+08:00"
"""Four days after a loan of 2 November is due."""


@pytest.fixture
async def desk(library: Library) -> AsyncIterator[Browser]:
    """A librarian's browser."""
    async with Browser(library.system.gateway_url, at=LATE) as browser:
        browser.give("carrel_session", library.tokens["staff"])
        yield browser


async def found(desk: Browser, card: str) -> Page:
    """Find an account by its card."""
    search = await insist(partial(desk.get, "/desk/accounts?lang=en"))
    return await insist(partial(desk.submit, search, "/desk/accounts", card_number=card))


async def sent(desk: Browser, page: Page, change: str, **typed: str) -> Page:
    """Send the form of a change of the account that a page shows."""
    here = "/".join(page.path.split("/")[:4])  # a refused change is shown at its own address
    return await insist(partial(desk.submit, page, f"{here}/{change}", **typed))


async def logs_in(library: Library, card: str, pin: str) -> bool:
    """Return whether a card and a PIN are accepted."""
    status, _ = await library.try_("POST", "/v1/sessions", {"card_number": card, "pin": pin})
    return status < 400


async def test_an_unknown_card_is_named_and_kept(desk: Browser) -> None:
    page = await found(desk, "HK-NOBODY")
    assert (page.status, page.path) == (404, "/desk/accounts")
    assert "No library card has this number." in page.text
    assert dict(page.form("/desk/accounts").fields)["card_number"] == "HK-NOBODY"


async def test_a_lost_card_and_a_forgotten_pin_are_replaced(
    library: Library, desk: Browser
) -> None:
    branch = await library.branch()
    card, other = [await library.patron(branch) for _ in range(2)]
    page = await found(desk, card)
    assert f"Patron {card}" in page.text
    assert "Can borrow" in page.text

    page = await sent(desk, page, "pin", pin="123456")
    assert (page.status, "is easy to guess" in page.text) == (409, True)
    assert 'value="123456"' not in page.html
    page = await sent(desk, page, "pin", pin="70-42-16")
    assert "The PIN is changed." in page.text
    assert not await logs_in(library, card, PIN)
    assert await logs_in(library, card, "70-42-16")

    page = await sent(desk, page, "card", card_number=other)
    assert "This card number belongs to another account." in page.text
    new = unique("C")
    page = await sent(desk, page, "card", card_number=new)
    assert "The new card is recorded." in page.text
    assert new in page.text
    assert await logs_in(library, new, "70-42-16")
    assert not await logs_in(library, card, "70-42-16")


async def test_details_that_somebody_else_changed_meanwhile_stay(
    library: Library, desk: Browser
) -> None:
    card = await library.patron(await library.branch())
    page = await found(desk, card)
    patron = page.path.rpartition("/")[2]
    theirs = {"contact": {"email": "mei@example.org"}, "language": "zh-Hant"}
    await library.call("PATCH", f"/v1/patrons/{patron}", theirs, by="staff")
    page = await sent(desk, page, "details", phone="2921 0388", name="Chan Mei")
    assert "The account is changed." in page.text
    stored = await library.get(f"/v1/patrons/{patron}", by="staff")
    kept = {"email": "mei@example.org", "phone": "2921 0388", "new_email": None}
    kept |= {"postal_address": None}
    assert stored["contact"] == kept
    assert (stored["name"], stored["language"]) == ("Chan Mei", "zh-Hant")
    page = await sent(desk, page, "details", born_on="1990-02-01")
    page = await sent(desk, page, "details", born_on="", phone="")
    stored = await library.get(f"/v1/patrons/{patron}", by="staff")
    assert (stored["born_on"], stored["contact"]["phone"]) == (None, None)

    page = await sent(desk, page, "details", lines="Flat 1\r\n2 Nathan Road", locality="Kowloon")
    assert "Flat 1\n2 Nathan Road" in page.html
    address = {"lines": ["Flat 1", "2 Nathan Road"], "locality": "Kowloon", "country": ""}
    page = await sent(desk, page, "details", email="")
    stored = await library.get(f"/v1/patrons/{patron}", by="staff")
    assert stored["contact"]["postal_address"] == address
    async with Browser(library.system.gateway_url, at=LATE) as browser:
        browser.give("carrel_session", library.tokens[card])
        own = await insist(partial(browser.get, "/setting?lang=en"))
        assert "Letters go to this postal address: Flat 1 2 Nathan Road Kowloon" in own.text
    page = await sent(desk, page, "details", lines="1\n2\n3\n4", email="mei@example.org")
    assert (page.status, 'id="lines-fault"' in page.html) == (422, True)
    page = await sent(desk, page, "details", lines="", locality="", email="mei@example.org")

    page = await sent(desk, page, "details")
    assert "Nothing was changed." in page.text
    page = await sent(desk, page, "details", phone="-", name="Mei")
    assert (page.status, "Please check this field." in page.text) == (422, True)
    theirs = {"contact": {"email": "chan@example.org", "phone": "2921 0388"}}
    await library.call("PATCH", f"/v1/patrons/{patron}", theirs, by="staff")
    page = await sent(desk, page, "details", phone="2921 0399")
    assert "The account is changed." in page.text
    stored = await library.get(f"/v1/patrons/{patron}", by="staff")
    waits = kept | {"phone": "2921 0399", "new_email": "chan@example.org"}
    assert stored["contact"] == waits
    assert "chan@example.org is used once the reader has confirmed it" in page.text
    assert stored["name"] == "Mei"


async def test_a_library_and_a_category_that_are_unknown_here_stay(
    library: Library, desk: Browser
) -> None:
    card = await library.patron(await library.branch(), category="fellow")
    patron = (await library.get("/v1/me", by=card))["patron"]["id"]
    settings = library.system.settings(Settings)
    client = patient_client(settings.mongo_url)
    patrons = client[f"{settings.database_prefix}_accounts"].patrons
    imported = {"home_branch": unique("B")}  # an import does not ask for libraries
    await patrons.update_one({"_id": patron}, {"$set": imported})
    client.close()
    page = await found(desk, card)
    page = await sent(desk, page, "details")
    assert "Nothing was changed." in page.text


async def test_a_blocked_reader_borrows_nothing_until_they_are_unblocked(
    library: Library, desk: Browser
) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    [book] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    page = await found(desk, card)
    page = await sent(desk, page, "block", reason="The card was found in the street")
    assert "Blocked by the staff: The card was found in the street" in page.text
    await library.flow.settle(within=60)
    wanted = {"card_number": card, "barcodes": [book], "branch": branch}
    [refused] = (await library.post("/v1/checkouts", wanted, by="staff"))["results"]
    assert refused["problem"]["code"] == "patron-blocked"
    page = await sent(desk, page, "unblock", reason="The owner has the card again")
    assert "Can borrow" in page.text
    await library.flow.settle(within=60)
    await library.lend(card, [book], branch)


async def test_a_charge_is_explained_and_waived_in_parts(library: Library, desk: Browser) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    [book] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    await library.lend(card, [book], branch)
    library.now = LATE
    [returned] = await library.take_back([book], branch)
    charge = returned["charge"]
    assert charge["outstanding_cents"] == 600

    item = (await library.get(f"/v1/titles/{returned['loan']['title_id']}"))["title"]
    page = await found(desk, card)
    assert "Overdue fine" in page.text
    assert item in page.text
    address = f"/desk/charges/{charge['id']}"
    assert address in page.links
    page = await insist(partial(desk.get, address))
    assert "How the fine is calculated" in page.text
    assert item in page.text
    assert dict(page.form(address).fields)["amount"] == "6.00"
    for amount, says in (
        ("", "Enter an amount in dollars, such as 6.00."),
        ("6,00", "Enter an amount in dollars, such as 6.00."),
        ("0", "Enter an amount in dollars, such as 6.00."),
        ("6.01", "This is more than is left to pay of this charge."),
    ):
        page = await insist(partial(desk.submit, page, address, amount=amount, reason="Flood"))
        assert page.status in (409, 422)
        assert says in page.text
        assert dict(page.form(address).fields)["reason"] == "Flood"
    page = await insist(partial(desk.submit, page, address, amount="2.50", reason="Flood"))
    assert "$2.50 is waived." in page.text
    assert "$3.50" in page.text
    page = await insist(partial(desk.get, address))
    page = await insist(partial(desk.submit, page, address, reason="Flood"))
    assert "There is nothing to pay or to give back." in page.text
    page = await insist(partial(desk.get, address))
    assert [form.action for form in page.forms if form.action == address] == []
    ledger = await library.get(f"/v1/charges/{charge['id']}", by="staff")
    assert ledger["waived_cents"] == 600


async def test_a_refund_goes_back_in_the_way_in_which_it_was_paid(
    library: Library, desk: Browser
) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    [book] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    [loan] = await library.lend(card, [book], branch)
    priced = {"price_cents": 12000}
    lost = await library.post(f"/v1/loans/{loan['id']}/loss", priced, by="staff")
    charges = [charge["id"] for charge in lost["charges"]]
    page = await found(desk, card)
    payment = f"{page.path}/payment"
    await library.post("/v1/payments", {"charge_ids": charges}, by=card)
    page = await insist(partial(desk.submit, page, payment))  # it was paid meanwhile
    assert page.status == 409
    assert "Nothing was paid: one of these charges is already settled." in page.text

    await library.take_back([book], branch)
    page = await found(desk, card)
    assert "$120.00 is to be given back." in page.text
    assert "There is nothing to pay" not in page.text
    links = [link.partition("#")[0] for link in page.links]
    [address] = {link for link in links if link.startswith("/desk/charges/")}
    page = await insist(partial(desk.get, address))
    changed = await insist(partial(desk.submit, page, f"{address}/refund", cents="11900"))
    assert (
        "The amount has changed meanwhile, so nothing was recorded. Check it, then try again."
        in changed.text
    )
    assert "$120.00 goes back in the way in which it was paid." in page.text
    given = await insist(partial(desk.submit, page, f"{address}/refund"))
    assert "$120.00 is given back." in given.text
    assert [form.action for form in given.forms if form.action == f"{address}/refund"] == []
    page = await found(desk, card)
    assert "There is nothing to pay or to give back." in page.text
    [charge] = [one for one in charges if one == address.rpartition("/")[2]]
    ledger = await library.get(f"/v1/charges/{charge}", by="staff")
    assert (ledger["refund_due_cents"], ledger["entries"][-1]["kind"]) == (0, "refund")


async def lent(library: Library, desk: Browser) -> tuple[Page, str]:
    """Lend a copy; return the desk's page of the loan and the title."""
    branch = await library.branch()
    card = await library.patron(branch)
    [book] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    [result] = await library.lend(card, [book], branch)
    title = (await library.get(f"/v1/titles/{result['title_id']}"))["title"]
    account = await found(desk, card)
    assert title in account.text
    address = f"/desk/loans/{result['id']}"
    assert address in account.links
    return await insist(partial(desk.get, address)), title


async def test_an_item_that_is_said_to_be_back_is_looked_for_and_not_found(
    library: Library, desk: Browser
) -> None:
    page, title = await lent(library, desk)
    assert title in page.text
    assert "If it is returned on" in page.text
    for day, says in (
        ("2021-11-20", "This day is in the future. Enter today or an earlier day."),
        ("2020-10-01", "The item was borrowed after that day."),
    ):
        refused = await insist(partial(desk.submit, page, f"{page.path}/claim", at=day))
        assert says in refused.text
        assert dict(refused.form(f"{page.path}/claim").fields)["at"] == day
    page = await insist(partial(desk.submit, page, f"{page.path}/claim", at="2020-11-18"))
    assert "Please look for it on the shelves." in page.text
    assert "it has been back since 18 November 2020" in page.text
    late = page
    page = await insist(partial(desk.submit, page, f"{page.path}/rejection"))
    assert "Its fine counts again." in page.text
    again = await insist(partial(desk.submit, late, f"{late.path}/rejection"))
    assert "Nobody says any more" not in again.text  # the same form, sent twice
    assert (again.path, again.status) == (page.path, 200)


async def test_a_lost_item_is_recorded_with_its_price(library: Library, desk: Browser) -> None:
    page, _ = await lent(library, desk)
    here = page.path
    for price, says in (
        ("", "The price of this item is not recorded. Enter it."),
        ("ten", "Enter an amount in dollars, such as 120.00."),
    ):
        refused = await insist(partial(desk.submit, page, f"{here}/loss", price=price))
        assert says in refused.text
        assert dict(refused.form(f"{here}/loss").fields)["price"] == price
    account = await insist(partial(desk.submit, page, f"{here}/loss", price="120.00"))
    assert "The item is recorded as lost." in account.text
    assert "$120.00" in account.text
    lost = await insist(partial(desk.get, here))
    assert "It was recorded as lost on 20 November 2020." in lost.text
    assert [form.action for form in lost.forms if here in form.action] == []
    refused = await insist(partial(desk.submit, page, f"{here}/claim"))
    assert "This item is recorded as lost." in refused.text
