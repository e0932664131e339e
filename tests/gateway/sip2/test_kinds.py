"""Retries, undo, off-line reports, cash, sorters, encodings, TLS and verify-only services."""

import asyncio
import ssl
from typing import Any

import pytest

from tests.gateway.sip2.conftest import heard_of, hired
from tests.gateway.sip2.station import Station, fields, station
from tests.library import PIN, Library
from tests.support import until

DUE = " " * 18


async def lend(kiosk: Station, card: str, barcode: str, fixed: str = "NN", **more: str) -> str:
    given = {"AO": "HKPL", "AA": card, "AB": barcode, "AC": "", "AD": PIN, **more}
    return await kiosk.ask("11", fixed + "{date}" + DUE, **given)


async def give_back(kiosk: Station, barcode: str, fixed: str = "N", **more: str) -> str:
    return await kiosk.ask(
        "09", fixed + "{date}{date}", AP="", AO="HKPL", AB=barcode, AC="", **more
    )


async def insist(kiosk: Station, text: str) -> str:
    """Send a message again until the answer does not ask for that, as a busy system does."""
    message = kiosk.numbered(text)

    async def done() -> str:
        answer = await kiosk.raw(message)
        return "" if "AFPlease try again" in answer else answer

    return str(await until(done))


async def loans(library: Library, card: str) -> list[str]:
    return [one["barcode"] for one in (await library.get("/v1/me", by=card))["loans"]]


async def test_a_repeated_message_is_done_once_also_after_a_new_connection(
    kiosk: Station, library: Library, branch: str
) -> None:
    card, [barcode] = await library.patron(branch), await library.copies(branch, 1)
    given = {"AO": "HKPL", "AA": card, "AB": barcode, "AC": ""}
    message = kiosk.numbered(kiosk.text("11", "NN{date}" + DUE, **given))
    first = await kiosk.raw(message)
    assert first.startswith("121NNY")
    assert await kiosk.raw(message) == first
    name = await library.hire("station")
    async with station(library.system.sip2_port) as one, station(library.system.sip2_port) as two:
        for each in (one, two):
            assert await each.ask("93", "00", CN=name, CO=PIN, CP=branch) == "941"
        back = one.numbered(one.text("09", "N{date}{date}", AP="", AO="", AB=barcode, AC=""))
        answers = [(await each.raw(back))[:6] for each in (one, two)]
    assert answers == ["101YNN", "101YNN"]


async def test_the_last_check_out_and_the_last_return_are_taken_back(
    kiosk: Station, library: Library, branch: str
) -> None:
    card, [barcode] = await library.patron(branch), await library.copies(branch, 1)
    await lend(kiosk, card, barcode)
    assert (await lend(kiosk, card, barcode, BI="Y")).startswith("121")
    assert await loans(library, card) == []
    assert (await lend(kiosk, card, barcode, BI="Y")).startswith("120")
    await lend(kiosk, card, barcode)
    assert (await give_back(kiosk, barcode)).startswith("101")
    assert (await give_back(kiosk, barcode, BI="Y")).startswith("101")
    assert await loans(library, card) == [barcode]


async def test_a_check_out_is_taken_back_through_another_process_once_for_its_card(
    kiosk: Station, library: Library, branch: str
) -> None:
    card, [barcode] = await library.patron(branch), await library.copies(branch, 1)
    stranger, name = await library.patron(branch), await library.hire("station")
    elsewhere, second = await heard_of(library), library.system.process("gateway", 1).more_ports[1]
    assert (await lend(kiosk, card, barcode)).startswith("121")
    async with station(second) as other, station(second) as away:
        for there, at in ((other, branch), (away, elsewhere)):
            assert await there.ask("93", "00", CN=name, CO=PIN, CP=at) == "941"
        assert (await lend(away, card, barcode, BI="Y")).startswith("120")
        assert (await lend(other, stranger, barcode, BI="Y")).startswith("120")
        assert await loans(library, card) == [barcode]
        named = {"AO": "", "AA": card, "AB": barcode, "AC": "", "BI": "Y"}
        message = other.numbered(other.text("11", "NN{date}" + DUE, **named))
        answers = await asyncio.gather(*(one.raw(message) for one in (other, kiosk)))
        assert sorted(answer[:3] for answer in answers) == ["120", "121"]
        assert (await other.raw(message))[:3] == answers[0][:3]
    assert await loans(library, card) == []


async def test_a_return_is_taken_back_through_another_process_once(
    kiosk: Station, library: Library, branch: str
) -> None:
    cards = [await library.patron(branch) for _ in range(2)]
    [barcode] = await library.copies(branch, 1)
    elsewhere, second = await heard_of(library), library.system.process("gateway", 1).more_ports[1]
    for card in cards:
        await lend(kiosk, card, barcode)
        assert (await give_back(kiosk, barcode)).startswith("101")
    async with station(second) as other, station(second) as away:
        for there, at in ((other, branch), (away, elsewhere)):
            login = {"CN": await library.hire("station"), "CO": PIN, "CP": at}
            assert await there.ask("93", "00", **login) == "941"
        assert (await give_back(away, barcode, BI="Y")).startswith("100")
        undo = other.text("09", "N{date}{date}", AP="", AO="", AB=barcode, AC="", BI="Y")
        message = other.numbered(undo)
        answers = await asyncio.gather(*(one.raw(message) for one in (other, kiosk)))
        assert sorted(answer[:3] for answer in answers) == ["100", "101"]
        assert (await other.raw(message))[:3] == answers[0][:3]
    assert [await loans(library, card) for card in cards] == [[], [barcode]]


async def test_a_fine_is_charged_for_a_renewal_once_the_patron_agrees(
    kiosk: Station, library: Library, branch: str
) -> None:
    card = await library.patron(branch)
    first, second = await library.copies(branch, 2)
    await library.lend(card, [first, second], branch)
    [late] = await library.copies(branch, 1)
    library.now = "2020-11-10T10:00:00+08:00"
    await library.lend(card, [late], branch)
    library.now = "2020-11-18T10:00:00+08:00"
    kiosk.date = "20201118    100000"
    named = {"AO": "HKPL", "AA": card, "AC": "", "AD": PIN}
    one = {**named, "AB": first}
    for code, fixed in (("29", "NN"), ("11", "YN")):
        asked = await kiosk.ask(code, fixed + "{date}" + DUE, **one, BO="N")
        found = fields(asked, 22)
        assert asked[2] == "0"
        assert (found["BT"], found["BH"], found["AH"]) == ("04", "HKD", "20201116    235900")
        assert found["BV"] != "0.00"
    everything = await kiosk.ask("65", "{date}", **named)
    assert everything.startswith("66100010002")
    assert f"|BM{late}|BN{first}|BN{second}|" in everything
    twice = f"{float(found['BV']) * 2:.2f}"
    assert fields(everything, 27)["BV"] == twice
    charges = await library.get("/v1/me/charges", by=card)
    assert charges["items"] == []
    assert (await kiosk.ask("29", "NN{date}" + DUE, **one, BO="Y")).startswith("301Y")
    [charge] = (await library.get("/v1/me/charges", by=card))["items"]
    assert f"{charge['amount_cents'] / 100:.2f}" == found["BV"]


async def test_an_off_line_report_is_taken_with_its_own_date(
    kiosk: Station, library: Library, branch: str
) -> None:
    card, [barcode] = await library.patron(branch), await library.copies(branch, 1)
    patron = await library.get(f"/v1/patrons?card={card}", by="staff")
    path = f"/v1/patrons/{patron['items'][0]['id']}/block"
    await library.post(path, {"reason": "test"}, by="staff")
    now, kiosk.date = kiosk.date, "20201101    100000"
    assert (await lend(kiosk, card, barcode, "NY", AD="")).startswith("121NNY")
    listed = await library.get("/v1/loans?patron=" + patron["items"][0]["id"], by="staff")
    assert [one["borrowed_on"] for one in listed["items"]] == ["2020-11-01"]
    kiosk.date = now
    assert (await give_back(kiosk, barcode, "Y")).startswith("101")


@pytest.mark.parametrize(
    ("promised", "due"),
    [
        (DUE, "20201115"),
        ("20201110    235900", "20201115"),
        ("20201120    235900", "20201120"),
        ("20201231    235900", "20201216"),
        ("99991231    235959", "20201216"),
        ("00010101    000000", "20201115"),
    ],
)
async def test_an_off_line_check_out_is_not_due_before_the_date_on_its_receipt(
    kiosk: Station, library: Library, branch: str, promised: str, due: str
) -> None:
    card, [barcode] = await library.patron(branch), await library.copies(branch, 1)
    given = {"AO": "HKPL", "AA": card, "AB": barcode, "AC": ""}
    lent = await kiosk.ask("11", "NY20201101    100000" + promised, **given)
    assert (lent[:3], fields(lent, 22)["AH"][:8]) == ("121", due)
    again = await kiosk.ask("11", "NY20201101    100000" + promised, **given)
    assert fields(again, 22)["AH"] == fields(lent, 22)["AH"]


async def test_cash_is_booked_in_the_till_of_the_station(library: Library, branch: str) -> None:
    name = await hired(library, "KIOSK-ALL")
    card, [barcode] = await library.patron(branch), await library.copies(branch, 1)
    await library.lend(card, [barcode], branch)
    till = {"branch": branch, "name": "kiosk", "float_cents": 0}
    opened = await library.post("/v1/tills", till, by="staff")
    async with station(library.system.sip2_port) as kiosk:
        kiosk.date = "20210115    100000"
        assert await kiosk.ask("93", "00", CN=name, CO=PIN, CP=branch) == "941"
        returned = await give_back(kiosk, barcode)
        assert returned.startswith("101Y")
        named = {"AO": "", "AA": card, "AC": "", "AD": PIN}
        owed = await kiosk.ask("63", "001{date}   Y      ", **named)
        amount = fields(owed, 59)["BV"]
        assert fields(await kiosk.ask("23", "001{date}", **named), 35)["BV"] == amount != "0.00"
        assert fields(owed, 59)["AV"].startswith(f"{amount} ")
        card_payment = await kiosk.ask("37", "{date}0402HKD", BV=amount, **named)
        assert card_payment.startswith("38N")
        paid = await kiosk.ask_checked("37", "{date}0400HKD", BV=amount, **named)
        assert paid.startswith("38Y")
        receipt = fields(paid, 19)
        assert receipt["AO"] == "HKPL"
        assert amount in receipt["AG"]
        assert receipt["BK"] in receipt["AG"]
        after = await kiosk.ask("63", f"001{{date}}{'':10}", **named)
        assert fields(after, 59)["BV"] == "0.00"
    shown = await library.get(f"/v1/tills/{opened['id']}", by="staff")
    assert f"{sum(shown['taken'].values()) / 100:.2f}" == amount


async def test_a_sorter_learns_where_a_copy_goes(library: Library, branch: str) -> None:
    name = "KIOSK-ALL"
    with_hold, card = await library.patron(branch), await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    elsewhere = await heard_of(library)
    [other] = await library.copies(elsewhere, 1)
    await library.lend(card, [barcode, other], branch)
    await library.post(
        "/v1/holds",
        {"barcode": barcode, "pickup_branch": branch},
        by=with_hold,
    )
    async with station(library.system.sip2_port) as sorter:
        assert await sorter.ask("93", "00", CN=name, CO=PIN, CP=branch) == "941"
        kept = await give_back(sorter, barcode)
        assert kept.startswith("101YNY")
        assert (fields(kept, 22)["CV"], fields(kept, 22)["CL"]) == ("01", "1")
        sent = fields(await give_back(sorter, other), 22)
        assert (sent["CV"], sent["CT"], sent["CL"]) == ("04", elsewhere, "3")
        named = {"AO": "", "AA": with_hold, "AC": "", "AD": PIN}
        held = await sorter.ask("63", "001{date}Y         ", **named)
        assert held[37:41] == "0001"
        assert fields(held, 59)["AS"] == f"Title {barcode}"


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("KIOSK-LATIN", "latin-1"), ("KIOSK-850", "cp850"), ("KIOSK-437", "cp437")],
)
async def test_characters_that_a_station_lacks_are_replaced(
    library: Library, branch: str, name: str, encoding: str
) -> None:
    await hired(library, name)
    barcode = f"ENC{name[-3:]}"
    copy = {"barcode": barcode, "category": "adult", "branch": branch}
    body = {"title": "Müller 西遊記", "authors": ["A"], "kind": "book", "copies": [copy]}
    await library.post("/v1/titles", body, by="staff")
    async with station(library.system.sip2_port) as kiosk:
        assert await kiosk.ask("93", "00", CN=name, CO=PIN, CP=branch) == "941"
        await kiosk.send(kiosk.text("17", "{date}", AO="", AB=barcode))
        answer = (await kiosk.receive()).decode(encoding)
    assert "AJMüller ???|" in answer


@pytest.mark.parametrize("language", ["019", "027"])
async def test_the_screen_speaks_the_patrons_language_until_the_session_ends(
    kiosk: Station, library: Library, branch: str, language: str
) -> None:
    card, [barcode] = await library.patron(branch), await library.copies(branch, 1)
    await library.lend(await library.patron(branch), [barcode], branch)
    named = {"AO": "", "AA": card, "AC": ""}
    asked = kiosk.text("23", f"{language}{{date}}", AD="000000", **named)
    assert "AF圖書證號碼或密碼不正確。|" in await insist(kiosk, asked)
    on_loan = fields(await lend(kiosk, card, barcode), 22)["AF"]
    assert "on loan" not in on_loan
    assert any("\u4e00" <= letter <= "\u9fff" for letter in on_loan)
    await kiosk.ask("35", "{date}", AD=PIN, **named)
    assert fields(await lend(kiosk, card, barcode), 22)["AF"].isascii()


async def test_a_screen_without_chinese_characters_speaks_english(
    library: Library, branch: str
) -> None:
    await hired(library, "KIOSK-ENGLISH")
    async with station(library.system.sip2_port) as kiosk:
        assert await kiosk.ask("93", "00", CN="KIOSK-ENGLISH", CO=PIN, CP=branch) == "941"
        answer = await kiosk.ask("23", "019{date}", AO="", AA="NOBODY", AC="")
    assert "AFThe library does not know this card.|" in answer


async def test_a_station_speaks_tls(library: Library, tls_port: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opened = await asyncio.open_connection("127.0.0.1", tls_port, ssl=context)
    kiosk = Station(*opened)
    assert (await kiosk.raw("9900302.00")).startswith("98Y")
    kiosk.writer.close()


async def test_a_service_that_checks_patrons_learns_nothing_else(
    library: Library, branch: str
) -> None:
    name, card = await library.hire("verifier"), await library.patron(branch)
    named = {"AO": "", "AA": card, "AC": ""}
    async with station(library.system.sip2_port) as shop:
        assert await shop.ask("93", "00", CN=name, CO=PIN) == "941"
        assert "BXYNNNYYYYYNNNNNNN|" in await shop.raw("9900302.00")
        answer = await shop.ask("63", f"001{{date}}{'  Y':10}", AD=PIN, **named)
        assert answer[:16] == "64" + " " * 14
        assert answer[37:61] == " " * 24
        assert fields(answer, 59) == {"AO": "", "AA": card, "AE": "", "BL": "Y", "CQ": "Y", "": ""}
        for message in ("11NN{date}" + DUE, "17{date}", "29NN{date}" + DUE, "37{date}0400HKD"):
            refused = await shop.ask(message[:2], message[2:], AB="K1", AD=PIN, **named)
            assert "AFThis station may not do this.|" in refused


@pytest.mark.parametrize(
    ("name", "role"), [("KIOSK-CONTACT", "station"), ("SHOP-CONTACT", "verifier")]
)
async def test_only_a_station_set_up_for_it_learns_the_contact_with_the_right_pin(
    kiosk: Station, library: Library, branch: str, name: str, role: str
) -> None:
    await hired(library, name, role)
    card = await library.patron(branch)
    found = await library.get(f"/v1/patrons?card={card}", by="staff")
    postal = {"lines": ["Flat 1", "1 Long Road"], "locality": "Sha Tin"}
    contact = {"email": "reader@example.org", "phone": "+85221234567", "postal_address": postal}
    path = f"/v1/patrons/{found['items'][0]['id']}"
    await library.call("PATCH", path, {"contact": contact}, by="staff")
    given = {"AO": "", "AA": card, "AC": ""}

    async def learns(terminal: Station, pin: str) -> list[str | None]:
        asked = await terminal.ask("63", f"001{{date}}{'':10}", AD=pin, **given)
        return [fields(asked, 59).get(one) for one in ("BD", "BE", "BF")]

    async with station(library.system.sip2_port) as other:
        assert await other.ask("93", "00", CN=name, CO=PIN, CP=branch) == "941"
        shown = ["Flat 1, 1 Long Road, Sha Tin", contact["email"], contact["phone"]]
        assert await learns(other, PIN) == (shown if role == "station" else [None] * 3)
        assert await learns(other, "000000") == [None] * 3
    assert await learns(kiosk, PIN) == [None] * 3


async def test_the_limits_of_a_patron_are_told_and_reached(
    kiosk: Station, library: Library, branch: str
) -> None:
    card, barcodes = await library.patron(branch), await library.copies(branch, 10)
    given = {"AO": "", "AA": card, "AC": "", "AD": PIN}
    for lent, reached in ((barcodes[:9], " "), (barcodes[9:], "Y")):
        await library.lend(card, lent, branch)
        answer = await kiosk.ask("63", f"001{{date}}{'':10}", **given)
        found = fields(answer, 59)
        assert [found.get(one) for one in ("BZ", "CA", "CB", "CC")] == [
            "0010",
            None,
            "0010",
            "0.00",
        ]
        status = await kiosk.ask("23", "001{date}", **given)
        assert answer[2:16] == status[2:16] == f"     {reached}        "
    asked = await kiosk.ask("63", f"001{{date}}{'':10}", AO="", AA=card, AC="")
    assert "BZ" in fields(asked, 59), "the session of the PIN goes on"
    await kiosk.ask("35", "{date}", **given)
    asked = await kiosk.ask("63", f"001{{date}}{'':10}", AO="", AA=card, AC="")
    assert "BZ" not in fields(asked, 59)


async def test_the_status_says_that_a_fee_is_among_what_is_owed_once_the_pin_is_right(
    kiosk: Station, library: Library, branch: str
) -> None:
    card, [barcode] = await library.patron(branch), await library.copies(branch, 1)
    other = await library.patron(branch)
    await library.lend(other, [barcode], branch)
    await library.post("/v1/holds", {"barcode": barcode, "pickup_branch": branch}, by=card)
    await library.take_back([barcode], branch)
    await library.lend(card, [barcode], branch)
    given = {"AO": "", "AA": card, "AC": ""}

    async def blocked() -> bool:  # accounts follows with a delay
        return (await kiosk.ask("23", "001{date}", **given))[12] == "Y"

    await until(blocked)
    assert (await kiosk.ask("23", "001{date}", **given))[2:16] == "YYYY      Y   "
    for code, rest in (("23", ""), ("63", " " * 10)):
        answer = await kiosk.ask(code, f"001{{date}}{rest}", AD=PIN, **given)
        assert answer[2:16] == "YYYY      YY  "


async def test_wrong_pins_count_for_the_station_and_lock_nobody_out(
    library: Library, branch: str
) -> None:
    shop_name, card = await library.hire("verifier"), await library.patron(branch)
    other_name = await library.hire("verifier")

    async def pin_is_right(shop: Station, card: str, pin: str) -> str:
        answer = await shop.ask("23", "001{date}", AO="", AA=card, AC="", AD=pin)
        return fields(answer, 35)["CQ"]

    async with (
        station(library.system.sip2_port) as shop,
        station(library.system.sip2_port) as other,
    ):
        assert await shop.ask("93", "00", CN=shop_name, CO=PIN) == "941"
        assert await other.ask("93", "00", CN=other_name, CO=PIN) == "941"
        for _ in range(6):
            assert await pin_is_right(shop, card, "000000") == "N"
        assert await pin_is_right(shop, card, PIN) == "N", "locked here"
        assert await pin_is_right(other, card, PIN) == "Y", "and nowhere else"
        for _ in range(3):  # many patrons at one address, each with a wrong PIN
            stranger = await library.patron(branch)
            assert await pin_is_right(shop, stranger, "000000") == "N"
            assert await pin_is_right(shop, stranger, PIN) == "Y"
    status, _ = await library.try_("POST", "/v1/sessions", {"card_number": card, "pin": PIN})
    assert status == 200


async def test_a_log_in_at_a_station_is_no_new_device(
    kiosk: Station, library: Library, branch: str
) -> None:
    card = await library.patron(branch)
    await kiosk.ask("63", f"001{{date}}{'':10}", AO="", AA=card, AC="", AD=PIN)

    async def inbox() -> Any:
        return await library.get("/v1/me/inbox", by=card)

    await until(inbox)
    assert (await inbox())["items"] == []


async def test_a_slow_a_silent_and_a_huge_message_end_their_connection_alone(
    kiosk: Station, library: Library
) -> None:
    port = library.system.sip2_port
    async with station(port) as half, station(port) as huge, station(port) as blank:
        await half.send("63", end=b"")
        await huge.send(b"A" * 1_000_000, end=b"")
        await blank.send(b"\r" * 1000, end=b"")
        assert await huge.ended()
        assert await blank.ended()
        assert (await kiosk.ask("99", "00802.00")).startswith("98Y")
    assert (await kiosk.ask("99", "00802.00")).startswith("98Y")


async def test_two_hundred_stations_lend_at_once(library: Library, branch: str) -> None:
    names = [await library.hire("station") for _ in range(10)]
    cards = [await library.patron(branch) for _ in range(40)]
    barcodes = await library.copies(branch, 200)

    async def lend_one(number: int) -> str:
        name, card, barcode = names[number % 10], cards[number % 40], barcodes[number]

        async def lent() -> str:  # a busy system refuses, and the station connects again
            async with station(library.system.sip2_port) as kiosk:
                if await kiosk.ask("93", "00", CN=name, CO=PIN, CP=branch) != "941":
                    return ""
                out = kiosk.text("11", "NN{date}" + DUE, AO="", AA=card, AB=barcode, AC="")
                answer = await kiosk.raw(kiosk.numbered(out))
                return "" if "AFPlease try again" in answer else answer[:6]

        return str(await until(lent, every=0.5))

    answers = await asyncio.gather(*map(lend_one, range(200)))
    assert answers == ["121NNY"] * 200
    for number in (0, 39):
        assert sorted(await loans(library, cards[number])) == sorted(barcodes[number::40])
