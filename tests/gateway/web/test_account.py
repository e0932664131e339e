"""My Account without scripts, on the whole system, as a patron uses it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.gateway.web.browser import Browser
from tests.library import PIN, Library

OPENING = "2020-11-02T10:00:00+08:00"
LATER = "2020-11-09T10:00:00+08:00"
OVERDUE = "2020-11-20T10:00:00+08:00"


@dataclass(frozen=True)
class Reader:
    """A logged-in patron with two loans of 2 November."""

    library: Library
    browser: Browser
    card: str
    branch: str


@pytest.fixture
async def reader(library: Library) -> AsyncIterator[Reader]:
    """A new patron with two loans, logged in."""
    library.now = OPENING
    branch = await library.branch("central")
    card = await library.patron(branch)
    barcodes = [*await library.copies(branch, 1), *await library.copies(branch, 1)]
    await library.flow.settle()
    await library.lend(card, barcodes, branch)
    async with Browser(library.system.gateway_url, at=OPENING) as browser:
        page = await browser.get("/log-in")
        await browser.submit(page, "/log-in", card_number=card, pin=PIN)
        yield Reader(library, browser, card, branch)


async def test_renewing_one_loan_or_all_gives_each_a_reference(
    reader: Reader,
) -> None:
    browser = reader.browser
    account = await browser.get("/")
    assert account.text.count("16 November 2020") == 3  # of two loans; one is due next
    loans = [value for link in account.links if (value := link.removeprefix("/loans/")) != link]

    browser.at = LATER
    chosen = await browser.submit(account, "/renewals", loan=loans[0])
    assert chosen.path == "/"
    assert chosen.text.count("renewed until 23 November 2020. Reference ") == 1
    assert "renewed until" not in (await browser.get("/")).text  # no repeat on reload

    none = await browser.submit(await browser.get("/"), "/renewals")
    assert "Select at least one item first." in none.text

    both = await browser.submit(await browser.get("/"), "/renewals", all="1")
    assert both.text.count("renewed until 23 November 2020. Reference ") == 1
    assert "not renewed. Renewing it now would not change the due date." in both.text


async def test_a_form_sent_twice_has_one_effect(
    reader: Reader,
) -> None:
    browser = reader.browser
    account = await browser.get("/")
    browser.at = LATER
    first = await browser.submit(account, "/renewals", all="1")
    again = await browser.submit(account, "/renewals", all="1")
    answers = [page.text.partition("done only once.")[2] for page in (first, again)]
    assert answers[0].split("On loan")[0] == answers[1].split("On loan")[0]
    assert again.text.count("Renewals left 4") == first.text.count("Renewals left 4")


async def test_a_refusal_is_shown_in_the_language_of_the_page(
    reader: Reader,
) -> None:
    library, browser, branch = reader.library, reader.browser, reader.branch
    account = await browser.get("/?lang=zh-Hant")
    loans = (await library.get("/v1/me", by=reader.card))["loans"]
    await library.reserve(await library.patron(branch), loans[0]["barcode"], branch)
    browser.at = LATER
    page = await browser.submit(account, "/renewals", all="1")
    assert "未能續借。另有讀者預約此項資料。" in page.text
    assert page.text.count("已續借至") == 1


async def test_a_fine_is_explained_day_by_day_and_paid(
    reader: Reader,
) -> None:
    library, browser, branch = reader.library, reader.browser, reader.branch
    browser.at = library.now = OVERDUE
    account = await browser.get("/")
    assert "Overdue" in account.text
    assert "$1.50 for each day that the library is open. So far: $6.00." in account.text
    loan = next(link for link in account.links if link.startswith("/loans/"))
    detail = await browser.get(loan)
    assert "17 November 2020 to 20 November 2020 4 days · charged $1.50 a day $6.00" in detail.text

    for item in (await library.get("/v1/me", by=reader.card))["loans"]:
        await library.take_back([item["barcode"]], branch)
    await library.flow.settle()
    owing = await browser.get("/")
    assert "To pay $12.00" in owing.text
    assert "You can't borrow, renew or reserve until you pay $12.00." in owing.text
    charge = await browser.get(next(link for link in owing.links if "/charges/" in link))
    assert "4 days · charged $1.50 a day $6.00" in charge.text

    paid = await browser.submit(owing, "/payments")
    assert "Paid: $12.00. Thank you." in paid.text
    assert "You have nothing to pay." in paid.text


async def test_refusals_about_a_linked_card_speak_of_that_card(reader: Reader) -> None:
    library, browser, branch = reader.library, reader.browser, reader.branch
    member = await library.patron(branch)
    member_id = await library.linked(reader.card, member)
    barcodes = [*await library.copies(branch, 1), *await library.copies(branch, 1)]
    await library.flow.settle()
    kept, back = await library.lend(member, barcodes, branch)
    browser.at = library.now = OVERDUE
    await library.take_back([back["barcode"]], branch)  # the member owes its fine now
    await library.flow.settle()

    page = await browser.get(f"/family/{member_id}")
    refused = await browser.submit(page, f"/family/{member_id}/loans/{kept['id']}/renewal")
    assert "The other account is blocked, so its holder can't borrow" in refused.text
    title = await browser.get(f"/catalogue/{kept['title_id']}")
    refused = await browser.submit(title, "", patron_id=member_id, pickup_branch=branch)
    assert "The other account is blocked, so its holder can't borrow" in refused.text
    assert "Your account is blocked" not in refused.text


async def test_a_patron_changes_pauses_and_cancels_a_reservation(
    reader: Reader,
) -> None:
    library, browser, branch = reader.library, reader.browser, reader.branch
    other = await library.branch("district")
    [wanted] = await library.copies(branch, 1)
    await library.flow.settle()
    await library.lend(await library.patron(branch), [wanted], branch)
    hold = await library.reserve(reader.card, wanted, branch)
    address = f"/holds/{hold['id']}"
    assert "Next in the queue" in (await browser.get("/")).text

    change = await browser.get(address)
    past = await browser.submit(change, address, expires_on="2020-01-01")
    assert (past.status, "This day has passed already." in past.text) == (409, True)
    wrong = await browser.submit(change, address, expires_on="soon")
    assert (wrong.status, "Please check this field." in wrong.text) == (422, True)
    done = await browser.submit(
        change, address, expires_on="2020-12-31", pickup_branch=other, key="another"
    )
    assert "Your reservation was changed." in done.text
    assert "Not needed after 31 December 2020." in done.text
    assert f"Library {other}" in done.text

    paused = await browser.submit(await browser.get(address), f"{address}/pause", frozen="yes")
    assert "Paused. You keep your place." in paused.text
    on = await browser.submit(await browser.get(address), f"{address}/pause", frozen="no")
    assert "Next in the queue" in on.text

    gone = await browser.submit(await browser.get(address), f"{address}/cancellation")
    assert "Your reservation was cancelled." in gone.text
    assert "You have no reservations." in gone.text
    assert (await browser.get(address)).status == 404


async def test_a_patron_reports_an_item_as_returned_or_lost(
    reader: Reader,
) -> None:
    browser = reader.browser
    links = (await browser.get("/")).links
    loans = list(dict.fromkeys(link for link in links if link.startswith("/loans/")))
    claimed = await browser.submit(await browser.get(loans[0]), f"{loans[0]}/claim")
    assert "You've told us that you returned it." in claimed.text
    lost = await browser.submit(await browser.get(loans[1]), f"{loans[1]}/loss")
    assert "The price of this item is not recorded. Please ask the staff." in lost.text


async def test_another_patrons_resources_are_not_found(
    reader: Reader,
) -> None:
    library, browser, branch = reader.library, reader.browser, reader.branch
    stranger = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    await library.flow.settle()
    [loan] = await library.lend(stranger, [barcode], branch)
    page = await browser.get(f"/loans/{loan['id']}")
    assert page.status == 404
    own = await browser.get("/")
    refused = await browser.submit(own, "/renewals", loan=loan["id"])
    assert "This loan was not found. It may have ended." in refused.text


async def test_my_info_and_messages_follow_my_setting(
    reader: Reader,
) -> None:
    library, browser, branch = reader.library, reader.browser, reader.branch
    notice = {"title": "News", "content": "Hand hygiene <i>please</i>", "branches": [branch]}
    await library.post("/v1/notices", notice, by="staff")
    setting = await browser.get("/setting")
    saved = await browser.submit(
        setting, "/setting", branch=branch, type="talk", language="zh-Hans", keep_history="yes"
    )
    assert (saved.path, saved.language, "已保存。" in saved.text) == ("/setting", "zh-Hans", True)
    kept = dict(saved.form("/setting").fields)
    assert (kept["branch"], kept["type"], kept["keep_history"]) == (branch, "talk", "yes")
    await library.flow.settle()
    info = await browser.get("/info")
    assert "Hand hygiene" in info.text

    inbox = await browser.get("/inbox")
    assert (inbox.status, (await browser.get("/history")).status) == (200, 200)


async def test_a_patron_changes_their_addresses_and_pin(reader: Reader) -> None:
    library, browser = reader.library, reader.browser
    setting = await browser.get("/setting")
    typed = {"email": "mei@example.org", "phone": "9123 4567"}
    refused = await browser.submit(setting, "/setting/contact", **typed, pin="no PIN of mine")
    assert (refused.status, "Your PIN is wrong. Nothing was changed." in refused.text) == (
        403,
        True,
    )
    kept = dict(refused.form("/setting/contact").fields)
    assert (kept["email"], kept["phone"]) == (*typed.values(),)
    assert "no PIN of mine" not in refused.text
    saved = await browser.submit(refused, "/setting/contact", pin=PIN)
    assert "A code was sent to mei@example.org." in saved.text
    assert dict(saved.form("/setting/contact/confirmation").fields)["address_code"] == ""
    wrong = await browser.submit(saved, "/setting/contact/confirmation", address_code="12345678")
    assert (wrong.status, "This code is wrong" in wrong.text) == (409, True)
    assert "12345678" not in wrong.text
    assert dict(saved.form("/setting/contact").fields)["email"] == typed["email"]

    new = "31-41-59"
    chosen = {"pin": PIN, "new_pin": new, "repeated_pin": new}
    differ = await browser.submit(saved, "/setting/pin", **chosen | {"repeated_pin": "31-41-95"})
    assert "The two new PINs are different. Nothing was changed." in differ.text
    short = await browser.submit(
        saved, "/setting/pin", **chosen | dict.fromkeys(("new_pin", "repeated_pin"), "12345")
    )
    assert short.status == 422
    assert not [page for page in (differ, short) if new in page.text or "12345" in page.text]
    changed = await browser.submit(saved, "/setting/pin", **chosen)
    assert "Your PIN is changed. Use the new one from now on." in changed.text
    typed = {"card_number": reader.card, "pin": new}
    assert (await library.try_("POST", "/v1/sessions", typed))[0] == 200


async def test_a_patron_reads_their_messages(reader: Reader) -> None:
    library, browser = reader.library, reader.browser
    browser.at = library.now = OVERDUE
    await library.job("circulation/overdue")
    await library.flow.settle()
    assert "messages that you have not read" in (await browser.get("/")).text
    read = await browser.submit(await browser.get("/inbox"), "/inbox/read")
    assert (read.path, "New" in read.text) == ("/inbox", False)
    assert "that you have not read" not in (await browser.get("/")).text
