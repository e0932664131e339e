"""Messages of clients in the field, and each byte of the answers; dates and ids apart."""

import re

import pytest

from tests.gateway.sip2.station import Station, station
from tests.library import PIN, Library

DATE = re.compile(rb"[0-9]{8}    [0-9]{6}")


async def said(client: Station, message: str) -> bytes:
    await client.send(message)
    return DATE.sub(b"<date>", await client.receive())


async def said_checked(client: Station, message: str) -> bytes:
    """Return the answer to a numbered message without its number and checksum."""
    await client.send(client.numbered(message))
    answer = DATE.sub(b"<date>", await client.receive())
    assert re.search(rb"AY[0-9]AZ[0-9A-F]{4}$", answer)
    return answer[:-9]


async def test_palace_opens_a_connection_for_each_check(library: Library, branch: str) -> None:
    shop, card = await library.hire("verifier"), await library.patron(branch)
    for pin, right in ((PIN, b"Y"), ("000000", b"N")):
        async with station(library.system.sip2_port) as palace:
            login = f"9300CN{shop}|CO{PIN}|CP{branch}|"
            assert await said_checked(palace, login) == b"941"
            asked = f"6300020201102    100000{'':10}AOHKPL|AA{card}|AC|AD{pin}|"
            answer = await said_checked(palace, asked)
            reason = b"" if right == b"Y" else b"AFThe card number or the PIN is wrong.|"
            assert answer == (
                b"64              000<date>                        AOHKPL|AA"
                + card.encode()
                + b"|AE|BLY|CQ"
                + right
                + b"|"
                + reason
            )
            ended = await said_checked(palace, f"3520201102    100000AOHKPL|AA{card}|AC|AD{pin}|")
            assert ended == b"36Y<date>AOHKPL|AA" + card.encode() + b"|"


async def test_libki_ends_its_question_twice_and_reads_1024_bytes(
    library: Library, branch: str
) -> None:
    name, card = await library.hire("station"), await library.patron(branch)
    async with station(library.system.sip2_port) as libki:
        login = f"9300CN{name}|CO{PIN}|CP{branch}|"
        assert await said_checked(libki, login) == b"941"
        status = await said_checked(libki, "9900302.00")
        assert status == (
            b"98YYYYNY100003<date>2.00AO|BXYYYNYYYYYYYNNYYY|AN" + branch.encode() + b"|"
        )
        asked = f"6300120201102    100000{'':10}AOHKPL|AA{card}|AC|AD{PIN}|"
        await libki.send(libki.numbered(asked), end=b"\r\r")
        answer = await libki.receive()
        assert len(answer) < 1024
        assert DATE.sub(b"<date>", answer)[:-9] == (
            b"64              001<date>000000000000000000000000AOHKPL|AA%(card)s|"
            b"AEPatron %(card)s|BLY|CQY|BHHKD|BV0.00|PCadult|AQ%(branch)s|"
            b"BZ0010|CB0010|CC0.00|" % {b"card": card.encode(), b"branch": branch.encode()}
        )
        assert (await said_checked(libki, "9900302.00")).startswith(b"98Y")


async def test_aspen_begins_with_the_status_and_ends_lines_with_crlf(
    library: Library, branch: str
) -> None:
    name, card = await library.hire("station"), await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    async with station(library.system.sip2_port) as aspen:
        assert await said(aspen, "9900302.00") == b"98YYYYNY100003<date>2.00AO|BXYYYNYYYYYYYNNYYY|"
        await aspen.send(f"\n9300CN{name}|CO{PIN}|CP{branch}|", end=b"\r\n")
        assert await aspen.receive() == b"941"
        item = await said(aspen, f"1720201102    100000AO|AB{barcode}|AC|")
        assert item == (
            b"18030101<date>AB%(it)s|AJTitle %(it)s|AO|CK001|CF0|BG%(at)s|AQ%(at)s|AP%(at)s|"
            % {b"it": barcode.encode(), b"at": branch.encode()}
        )
        # The PHP client that it is made of sends this message without a date.
        renewed = await said(aspen, f"65AO|AA{card}|AD{PIN}|")
        assert renewed == b"66100000000<date>AO|"


@pytest.mark.parametrize("end", [b"\r", b"\r\n"])
async def test_a_3m_kiosk_sends_blank_dates_and_asks_again(
    library: Library, branch: str, end: bytes
) -> None:
    name, card = await library.hire("station"), await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    async with station(library.system.sip2_port) as kiosk:
        await kiosk.send(kiosk.numbered(f"9300CN{name}|CO{PIN}|CP{branch}|"), end=end)
        assert (await kiosk.receive()).startswith(b"941AY1AZ")
        lend = f"11YN20201102    100000{'':18}AO|AA{card}|AB{barcode}|AC|AD{PIN}|BON|BIN|"
        message = kiosk.numbered(lend)
        await kiosk.send(message, end=end)
        first = await kiosk.receive()
        assert DATE.sub(b"<date>", first)[:-9] == (
            b"121NNY<date>AO|AA%(card)s|AB%(it)s|AJTitle %(it)s|AH<date>|CK001|"
            % {b"card": card.encode(), b"it": barcode.encode()}
        )
        await kiosk.send("97AZFEF5", end=end)
        assert await kiosk.receive() == first[:-9]
        await kiosk.send(message, end=end)
        assert await kiosk.receive() == first
        await kiosk.send(message[:-4] + b"0000", end=end)
        assert await kiosk.receive() == b"96AZFEF6"
        await kiosk.send(
            kiosk.numbered(f"09N20201102    100000{'':18}AP|AO|AB{barcode}|AC|"), end=end
        )
        back = DATE.sub(b"<date>", await kiosk.receive())[:-9]
        assert back == (
            b"101YNN<date>AO|AB%(it)s|AQ%(at)s|AJTitle %(it)s|CK001|"
            % {b"it": barcode.encode(), b"at": branch.encode()}
        )
