from zoneinfo import ZoneInfo

import pytest

from services.gateway.sip2 import messages
from services.gateway.sip2.connections import HANDLERS
from services.gateway.sip2.messages import (
    Answer,
    Malformed,
    cents_of,
    checksum,
    date_and_time,
    decode,
    encode,
    instant_of,
    money,
    resend,
)

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
LOG_IN = b"9300CNkiosk-07|COsecret|CPHKCL|AY0AZF448"
CHECK_OUT = (
    b"11YN20261125    120110                  AOHKPL|AA21234567890123|AB38888000123456|AC|"
    b"AD246810|BON|BIN|AY3AZE84C"
)


def test_checksums_are_those_of_the_3m_guide() -> None:
    for message in (LOG_IN, CHECK_OUT, b"9900802.00AY1AZFCA0", b"941AY0AZFDFD"):
        head, _, expected = message.rpartition(b"AZ")
        assert checksum(head + b"AZ") == expected.decode()
    assert resend(checked=True) == b"96AZFEF6\r"


def test_a_request_has_its_fixed_fields_by_position_and_the_others_by_name() -> None:
    found = decode(CHECK_OUT, "utf-8")
    assert (found.code, found.sequence) == ("11", "3")
    assert found.fixed["date"] == "20261125    120110"
    assert found.fixed["due"].strip() == ""
    assert found.says("renews")
    assert not found.says("no_block")
    assert found.get("AB") == "38888000123456"
    assert not found.says("BI")


def test_the_first_of_a_repeated_field_counts_and_barcodes_are_trimmed() -> None:
    found = decode(b"1720261125    120110AB 38888 |ABother|XXunknown|AOHKPL|", "utf-8")
    assert found.get("AB") == "38888"
    assert found.sequence == ""


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"9",
        b"00",
        b"XX20261125    120110",
        b"11YN20261125",
        LOG_IN[:-1] + b"9",
        b"\xff\xfe\xfd",
    ],
)
def test_an_unreadable_message_is_malformed(line: bytes) -> None:
    with pytest.raises(Malformed):
        decode(line, "utf-8")


def test_an_answer_has_its_required_fields_even_if_they_are_empty() -> None:
    sent = encode("12", Answer({"date": "20261125    120110"}, [("AF", "No")]), "utf-8")
    assert sent == b"120NUN20261125    120110AO|AA|AB|AJ|AH|AFNo|\r"


def test_an_answer_is_numbered_as_its_request() -> None:
    fixed = {"status": "", "language": "019", "date": "20261125    120104"}
    given = [("AO", "HKPL"), ("AA", "21234567890123"), ("AE", "陳大文"), ("BL", "Y"), ("CQ", "Y")]
    answer = Answer(fixed, [*given, ("BH", "HKD"), ("BV", "12.00")])
    assert encode("24", answer, "utf-8", "2").decode() == (
        "24              01920261125    120104AOHKPL|AA21234567890123|AE陳大文|BLY|CQY|BHHKD|"
        "BV12.00|AY2AZE478\r"
    )


@pytest.mark.parametrize("encoding", ["cp850", "cp437", "latin-1", "ascii", "utf-8"])
def test_characters_that_an_encoding_lacks_are_replaced(encoding: str) -> None:
    sent = encode("94", Answer({"ok": "1"}, [("AF", "西遊記 é")]), encoding, "1")
    text = sent.decode(encoding)
    assert text.startswith("941AF")
    assert ("西遊記" in text) == (encoding == "utf-8")
    assert ("é" in text) == (encoding != "ascii")


def test_no_value_ends_its_field_or_the_message_or_is_too_long() -> None:
    title = "A|B\rC\nD" + "x" * 400
    sent = encode("18", Answer({}, [("AB", "K1"), ("AJ", title)]), "utf-8").decode()
    assert sent.count("\r") == 1
    assert "AJA B C D" in sent
    assert len(sent) < 400


def test_no_text_reads_as_an_invalid_patron() -> None:
    named = [("AE", "ABLNE"), ("AA", "CBLN1"), ("BL", "Y")]
    sent = encode("64", Answer({}, named), "utf-8").decode()
    assert "AEABL NE|" in sent
    assert "AACBLN1|" in sent


def test_an_answer_is_never_longer_than_a_message_may_be() -> None:
    listed = [("AU", f"{number:0200d}") for number in range(200)]
    sent = encode("64", Answer({}, [("AO", "HKPL"), *listed]), "utf-8", "3")
    assert len(sent) <= messages.MOST_BYTES
    head, _, tail = sent[:-1].rpartition(b"AZ")
    assert checksum(head + b"AZ") == tail.decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20261125    120110", "2026-11-25T12:01:10+08:00"),
        ("20261125   Z120110", "2026-11-25T12:01:10+00:00"),
        (" " * 18, None),
        ("20261325    120110", None),
        ("", None),
    ],
)
def test_dates_are_read_in_the_zone_of_the_station(text: str, expected: str | None) -> None:
    found = instant_of(text, HONG_KONG)
    assert (found.isoformat() if found else None) == expected


def test_due_dates_are_at_the_end_of_their_day() -> None:
    assert date_and_time("2026-12-09", HONG_KONG) == "20261209    235900"
    assert date_and_time("2026-12-09T10:00:00+00:00", HONG_KONG) == "20261209    180000"
    assert date_and_time(None, HONG_KONG) == ""


@pytest.mark.parametrize(
    ("text", "cents"), [("12.50", 1250), ("12,5", 1250), ("12", 1200), ("-1", None), ("", None)]
)
def test_amounts_are_cents(text: str, cents: int | None) -> None:
    assert cents_of(text) == cents
    if cents:
        assert cents_of(money(cents)) == cents


def test_each_request_has_a_handler_and_an_answer() -> None:
    assert HANDLERS.keys() | {"97"} == messages.REQUESTS.keys()
    answers = {one.answer for one in messages.REQUESTS.values()} | {"26"}
    assert answers - {""} == messages.ANSWERS.keys()
