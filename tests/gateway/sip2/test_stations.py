"""Self-check stations on the running system, message by message."""

import asyncio
import logging
from typing import Any

from Sip2.sip2 import Sip2

from services.accounts.sign_in.rules import MOST_SESSIONS
from tests.gateway.sip2.conftest import heard_of
from tests.gateway.sip2.station import Station, fields, station
from tests.library import PIN, Library

DATE = "20201102    100000"
DUE = " " * 18


async def information(kiosk: Station, card: str, summary: str = "") -> tuple[str, dict[str, str]]:
    answer = await kiosk.ask("63", f"001{{date}}{summary:<10}", AO="HKPL", AA=card, AC="", AD=PIN)
    return answer, fields(answer, 59)


async def test_a_station_logs_in_with_its_account_alone(library: Library, branch: str) -> None:
    staff = await library.hire("staff")
    async with station(library.system.sip2_port) as opened:
        assert await opened.raw("9300CNnobody|COwrong|CPHKCL|") == "940"
        assert await opened.ask("93", "00", CN=staff, CO=PIN) == "940"
        assert await opened.ask("93", "11", CN=staff, CO=PIN) == "940"
        await opened.send("9300CNnobody|COwrong|")
        assert await opened.ended()


async def test_a_log_in_that_was_not_judged_is_no_wrong_secret(
    library: Library, branch: str
) -> None:
    name, port = await library.hire("station"), library.system.sip2_port

    async def tries(opened: Station, name: str, secret: str, times: int = 1) -> list[str]:
        return [await opened.ask("93", "00", CN=name, CO=secret, CP=branch) for _ in range(times)]

    for _ in range(2):  # another network spends the tries that strangers have of this name
        async with station(port, "127.0.0.2") as stranger:
            assert await tries(stranger, name, "000000", 3) == ["940"] * 3
    async with station(port, "127.0.0.3") as kiosk:
        assert await tries(kiosk, "nobody", "000000") == ["940"]
        assert await tries(kiosk, name, PIN, 6) == ["940"] * 6
        assert (await kiosk.raw("9900302.00")).startswith("98Y")
    async with station(port, "127.0.0.4") as kiosk:
        assert await tries(kiosk, name, PIN) == ["941"]


async def test_a_station_whose_session_was_ended_logs_in_again(
    library: Library, branch: str
) -> None:
    name = await library.hire("station")
    login = f"9300CN{name}|CO{PIN}|CP{branch}|"
    async with station(library.system.sip2_port) as opened:
        assert await opened.raw(login) == "941"
        body = {"card_number": name, "pin": PIN}
        library.tokens[name] = (await library.call("POST", "/v1/sessions", body))["access_token"]
        await library.call("DELETE", "/v1/sessions", by=name)
        await opened.send(opened.text("17", "{date}", AO="", AB="K1"))
        assert await opened.ended()
    async with station(library.system.sip2_port) as opened:
        assert await opened.raw(login) == "941"
        assert (await opened.ask("17", "{date}", AO="", AB="K1")).startswith("18")


async def test_a_station_with_many_connections_stays_logged_in_on_each(
    library: Library, branch: str
) -> None:
    """They share one session: an account has at most fifty, and the oldest would be ended."""
    name, card = await library.hire("station"), await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    async with station(library.system.sip2_port) as first:
        assert await first.ask("93", "00", CN=name, CO=PIN, CP=branch) == "941"
        for _ in range(MOST_SESSIONS + 1):
            async with station(library.system.sip2_port) as another:
                assert await another.ask("93", "00", CN=name, CO=PIN, CP=branch) == "941"
        lent = await first.ask("11", "NN{date}" + DUE, AO="", AA=card, AB=barcode, AC="")
        assert lent.startswith("121")


async def test_nothing_but_the_status_is_answered_before_the_log_in(library: Library) -> None:
    async with station(library.system.sip2_port) as opened:
        assert (await opened.raw("9900302.00")).startswith("98YYYYNY100003")
        await opened.send(f"23001{DATE}AOHKPL|AA1|AC|AD1|")
        assert await opened.ended()


async def test_the_status_names_the_services(kiosk: Station, branch: str) -> None:
    answer = await kiosk.ask_checked("99", "00802.00")
    assert "|BXYYYNYYYYYYYNNYYY|" in answer
    assert f"|AN{branch}|" in answer
    assert "|AY1AZ" in answer
    assert len(answer) < 1024


async def test_a_patron_is_known_with_the_pin(
    kiosk: Station, library: Library, branch: str
) -> None:
    card = await library.patron(branch)
    answer = await kiosk.ask("23", "001{date}", AO="HKPL", AA=card, AC="", AD=PIN)
    assert answer.startswith(f"24{'':14}001")
    found = fields(answer, 35)
    assert (found["AE"], found["BL"], found["CQ"]) == (f"Patron {card}", "Y", "Y")
    assert (found["BH"], found["BV"]) == ("HKD", "0.00")


async def test_a_wrong_pin_shows_no_name(kiosk: Station, library: Library, branch: str) -> None:
    card = await library.patron(branch)
    answer = await kiosk.ask("23", "001{date}", AO="HKPL", AA=card, AC="", AD="000000")
    found = fields(answer, 35)
    assert (found["AE"], found["BL"], found["CQ"]) == ("", "Y", "N")
    assert "BV" not in found


async def test_without_a_pin_there_is_no_word_about_it(
    kiosk: Station, library: Library, branch: str
) -> None:
    card = await library.patron(branch)
    found = fields(await kiosk.ask("23", "001{date}", AO="HKPL", AA=card, AC=""), 35)
    assert "CQ" not in found
    assert (found["AE"], found["BL"]) == ("", "Y")


async def test_a_card_that_is_not_known_is_not_valid(kiosk: Station) -> None:
    answer = await kiosk.ask("23", "001{date}", AO="HKPL", AA="nobody", AC="", AD="1234")
    assert answer.startswith("24YYYY")
    assert fields(answer, 35)["BL"] == "N"


async def test_a_check_out_has_title_and_due_date(
    kiosk: Station, library: Library, branch: str
) -> None:
    card = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    answer = await kiosk.ask(
        "11", "YN{date}" + DUE, AO="HKPL", AA=card, AB=f" {barcode} ", AC="", AD=PIN, BO="N", BI="N"
    )
    assert answer.startswith("121NNY")
    found = fields(answer, 22)
    assert (found["AO"], found["AA"], found["AB"]) == ("HKPL", card, barcode)
    assert found["AJ"] == f"Title {barcode}"
    assert found["AH"].endswith("    235900")
    assert found["CK"] == "001"
    _, shown = await information(kiosk, card, "  Y")
    assert shown["AU"] == barcode


async def test_an_own_loan_is_renewed_by_a_check_out_with_the_policy(
    kiosk: Station, library: Library, branch: str
) -> None:
    card = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    await library.lend(card, [barcode], branch)
    kiosk.date = "20201110    100000"
    named = {"AO": "HKPL", "AA": card, "AB": barcode, "AC": "", "AD": PIN}
    assert (await kiosk.ask("11", "NN{date}" + DUE, **named)).startswith("120NUN")
    renewed = await kiosk.ask("11", "YN{date}" + DUE, **named)
    assert renewed.startswith("121YNN")
    again = await kiosk.ask("29", "NN{date}" + DUE, **named)
    assert again.startswith("300NUN")
    assert fields(again, 22)["AF"]


async def test_a_refused_check_out_says_why(kiosk: Station, library: Library, branch: str) -> None:
    card = await library.patron(branch)
    answer = await kiosk.ask(
        "11", "YN{date}" + DUE, AO="HKPL", AA=card, AB="unknown", AC="", AD=PIN
    )
    assert answer.startswith("120NUN")
    found = fields(answer, 22)
    assert (found["AJ"], found["AH"]) == ("", "")
    assert found["AF"]


async def test_a_check_in_says_where_the_copy_belongs(
    kiosk: Station, library: Library, branch: str
) -> None:
    card = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    await library.lend(card, [barcode], branch)
    answer = await kiosk.ask("09", "N{date}{date}", AP="", AO="HKPL", AB=barcode, AC="")
    assert answer.startswith("101YNN")
    found = fields(answer, 22)
    assert (found["AQ"], found["AJ"]) == (branch, f"Title {barcode}")
    again = await kiosk.ask("09", "N{date}{date}", AP="", AO="HKPL", AB=barcode, AC="")
    assert again.startswith("100")


async def test_an_item_is_described_and_an_unknown_one_has_no_title(
    kiosk: Station, library: Library, branch: str
) -> None:
    card = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    free = await kiosk.ask("17", "{date}", AO="HKPL", AB=barcode, AC="")
    assert free.startswith("18030101")
    await library.lend(card, [barcode], branch)
    lent = await kiosk.ask("17", "{date}", AO="HKPL", AB=barcode, AC="")
    assert lent.startswith("18040101")
    assert fields(lent, 24)["AH"].endswith("235900")
    unknown = await kiosk.ask("17", "{date}", AO="HKPL", AB="none", AC="")
    assert unknown.startswith("18010001")
    assert fields(unknown, 24)["AJ"] == ""


async def test_all_loans_are_renewed(kiosk: Station, library: Library, branch: str) -> None:
    card = await library.patron(branch)
    barcodes = await library.copies(branch, 1)
    await library.lend(card, barcodes, branch)
    kiosk.date = "20201110    100000"
    answer = await kiosk.ask("65", "{date}", AO="HKPL", AA=card, AD=PIN)
    assert answer.startswith("66100010000")
    assert f"|BM{barcodes[0]}|" in answer


async def test_a_hold_is_placed_changed_and_cancelled(
    kiosk: Station, library: Library, branch: str
) -> None:
    other = await library.patron(branch)
    card = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    await library.lend(other, [barcode], branch)
    named = {"AO": "HKPL", "AA": card, "AB": barcode, "AD": PIN}
    placed = await kiosk.ask("15", "+{date}", BW="20201231    000000", BY="2", **named)
    assert placed.startswith("161N")
    assert fields(placed, 20)["BR"] == "1"
    _, shown = await information(kiosk, card, "     Y")
    assert shown["CD"] == f"Title {barcode}"
    elsewhere = await heard_of(library)
    changed = await kiosk.ask("15", "*{date}", BS=elsewhere, **named)
    assert changed.startswith("161N"), changed
    assert fields(changed, 20)["BS"] == elsewhere
    assert (await kiosk.ask("15", "-{date}", **named)).startswith("161")
    assert (await kiosk.ask("15", "-{date}", **named)).startswith("160")


async def test_the_session_of_a_patron_ends(kiosk: Station, library: Library, branch: str) -> None:
    card = await library.patron(branch)
    await information(kiosk, card)
    assert (await kiosk.ask("35", "{date}", AO="HKPL", AA=card)).startswith("36Y")
    refused = await kiosk.ask("65", "{date}", AO="HKPL", AA=card)
    assert refused.startswith("660")


async def test_an_answer_is_sent_again(kiosk: Station) -> None:
    first = await kiosk.ask_checked("99", "00802.00")
    again = await kiosk.raw("97")
    assert again == first.partition("AY")[0]
    assert await kiosk.raw("1720201102    100000ABx|AY1AZ0000") == "96AZFEF6"
    assert await kiosk.raw("nonsense") == "96"


async def test_chinese_is_sent_in_utf_8(kiosk: Station, library: Library, branch: str) -> None:
    copy = {"barcode": "西遊記-1", "category": "adult", "branch": branch}
    body = {"title": "西遊記", "authors": ["吳承恩"], "kind": "book", "copies": [copy]}
    status, _ = await library.try_("POST", "/v1/titles", body, by="staff")
    if status == 422:
        body["copies"] = [{**copy, "barcode": "XYJ-1"}]
        await library.post("/v1/titles", body, by="staff")
    answer = await kiosk.ask_checked("17", "{date}", AO="HKPL", AB="XYJ-1")
    assert fields(answer, 24)["AJ"] == "西遊記"


async def test_the_client_of_pypi_reads_every_answer(
    library: Library, branch: str, kiosk: Station
) -> None:
    name, card = await library.hire("station"), await library.patron(branch)
    lent, wanted = await library.copies(branch, 1), await library.copies(branch, 1)
    await library.lend(await library.patron(branch), wanted, branch)
    client = Sip2()
    client.log = logging.getLogger("sip2")
    client.hostName, client.hostPort, client.tlsEnable = (
        "127.0.0.1",
        library.system.sip2_port,
        False,
    )
    client.socketTimeout, client.scLocation, client.institutionId = 30, branch, "HKPL"
    client.patron, client.patronpwd = card, PIN

    def ask(name: str, *values: str | int) -> Any:
        """Send a message of the client; return its reading of the answer."""
        sent = getattr(client, f"sip_{name}_request")(*values)
        answer = client.get_response(sent)
        read = "patron_status" if name == "block_patron" else name
        return getattr(client, f"sip_{read}_response")(answer)

    def talk() -> dict[Any, Any]:
        client.connect()
        try:
            return {
                said[0]: ask(*said)
                for said in (
                    ("login", name, PIN),
                    ("sc_status",),
                    ("patron_status",),
                    ("patron_information", "charged"),
                    ("item_information", lent[0]),
                    ("checkout", lent[0]),
                    ("renew", lent[0]),
                    ("renew_all",),
                    ("checkin", lent[0]),
                    ("hold", "+", "", 2, wanted[0]),
                    ("fee_paid", 4, 0, "1.00", "", "", "HKD"),
                    ("item_status_update", lent[0]),
                    ("patron_enable",),
                    ("block_patron", "Lost"),
                    ("end_patron_session",),
                )
            }
        finally:
            client.disconnect()

    said = await asyncio.to_thread(talk)
    assert said["login"]["fixed"]["Ok"] == "1"
    assert said["sc_status"]["variable"]["BX"] == ["YYYNYYYYYYYNNYYY"]
    for name in ("patron_status", "patron_information", "patron_enable", "block_patron"):
        assert said[name]["variable"]["AE"] == [f"Patron {card}"], name
        assert said[name]["variable"]["BL"] == ["Y"], name
    assert said["item_information"]["variable"]["AJ"] == [f"Title {lent[0]}"]
    for name, ok in (("checkout", "1"), ("renew", "0"), ("checkin", "1"), ("hold", "1")):
        assert said[name]["fixed"]["Ok"] == ok, name
    assert said["renew_all"]["fixed"]["Ok"] == "1", said["renew_all"]
    assert said["fee_paid"]["fixed"]["PaymentAccepted"] == "N"
    assert said["end_patron_session"]["fixed"]["EndSession"] == "Y"
