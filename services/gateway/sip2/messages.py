"""Messages of SIP2: their layouts, and how they are decoded and encoded. Pure functions.

The layouts are those of the 3M Standard Interchange Protocol, version 2.00. A message has a code of
two digits, fixed fields by position, then fields with a name of two characters that each end in
`|`, in any order. It may end in a sequence number (AY) and a checksum (AZ).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

END = b"\r"
MOST_BYTES = 8 * 1024
"""Longest message that is read or sent."""
MOST_CHARACTERS = 255
"""Longest value of a field."""
RESEND = b"96"
"""Code of the request to send the last message again."""
_TAIL = re.compile(rb"AY([0-9])AZ([0-9A-Fa-f]{1,4})\|?$")
_DATE = re.compile(r"[0-9 ]{8}[ Z]{4}[0-9 ]{6}")
_UNSAFE = re.compile(r"[|\x00-\x1f\x7f]")
_OF_CLIENT = frozenset({"AA", "AB", "AO"})
"""Fields with ids, which a station gets back as it sent them."""


@dataclass(frozen=True)
class Layout:
    """The fixed fields of a message with their widths, and the fields that it always has."""

    fixed: Mapping[str, int]
    required: tuple[str, ...] = ()
    answer: str = ""
    """Code of the answer to a request."""


def _layout(fixed: str = "", required: str = "", answer: str = "") -> Layout:
    widths = (one.partition(":") for one in fixed.split())
    return Layout({name: int(width) for name, _, width in widths}, tuple(required.split()), answer)


REQUESTS: Mapping[str, Layout] = {
    "01": _layout("retained:1 date:18", answer="24"),
    "09": _layout("no_block:1 date:18 returned:18", answer="10"),
    "11": _layout("renews:1 no_block:1 date:18 due:18", answer="12"),
    "15": _layout("mode:1 date:18", answer="16"),
    "17": _layout("date:18", answer="18"),
    "19": _layout("date:18", answer="20"),
    "23": _layout("language:3 date:18", answer="24"),
    "25": _layout("date:18", answer="26"),
    "29": _layout("third_party:1 no_block:1 date:18 due:18", answer="30"),
    "35": _layout("date:18", answer="36"),
    "37": _layout("date:18 fee_type:2 payment_type:2 currency:3", answer="38"),
    "63": _layout("language:3 date:18 summary:10", answer="64"),
    "65": _layout("date:18", answer="66"),
    "93": _layout("user_algorithm:1 secret_algorithm:1", answer="94"),
    "97": _layout(),
    "99": _layout("status:1 width:3 version:4", answer="98"),
}
_STATUS = "status:14 language:3 date:18"
_LENT = "ok:1 renewed:1 magnetic:1 desensitize:1 date:18"
ANSWERS: Mapping[str, Layout] = {
    "10": _layout("ok:1 resensitize:1 magnetic:1 alert:1 date:18", "AO AB AQ AJ"),
    "12": _layout(_LENT, "AO AA AB AJ AH"),
    "16": _layout("ok:1 available:1 date:18", "AO AA"),
    "18": _layout("circulation:2 security:2 fee_type:2 date:18", "AB AJ"),
    "20": _layout("ok:1 date:18", "AB AJ"),
    "24": _layout(_STATUS, "AO AA AE"),
    "26": _layout(_STATUS, "AO AA AE"),
    "30": _layout(_LENT, "AO AA AB AJ AH"),
    "36": _layout("ended:1 date:18", "AO AA"),
    "38": _layout("accepted:1 date:18", "AO AA"),
    "64": _layout(
        f"{_STATUS} ready:4 overdue:4 charged:4 fines:4 recalled:4 waiting:4", "AO AA AE"
    ),
    "66": _layout("ok:1 renewed_count:4 unrenewed_count:4 date:18", "AO"),
    "94": _layout("ok:1"),
    "98": _layout(
        "online:1 returns:1 lends:1 renews:1 status_update:1 offline:1 timeout:3 retries:3 "
        "date:18 version:4",
        "AO BX",
    ),
}
_REFUSED = {
    "ok": "0",
    "status": "YYYY",
    "renewed": "N",
    "magnetic": "U",
    "desensitize": "N",
    "resensitize": "N",
    "alert": "N",
    "available": "N",
    "circulation": "01",
    "security": "00",
    "fee_type": "01",
    "language": "000",
    "ended": "Y",
    "accepted": "N",
    "renewed_count": "0000",
    "unrenewed_count": "0000",
}
"""Values of fixed fields in the answer to a request that was refused; others are blank."""


class Malformed(Exception):
    """A message with an unknown code, too few fixed fields or a wrong checksum."""


@dataclass(frozen=True)
class Request:
    """A decoded message of a station."""

    code: str
    fixed: Mapping[str, str]
    fields: Mapping[str, str] = field(repr=False)
    """The first value of each field by name; others are ignored."""
    sequence: str = ""
    """Sequence number; empty: error detection is off."""

    def get(self, name: str) -> str:
        """Return the value of a field; "" if it was not sent."""
        return self.fields.get(name, "")

    def says(self, name: str) -> bool:
        """Return whether a fixed or other field is `Y`."""
        return (self.fixed.get(name) or self.get(name)) == "Y"


@dataclass(frozen=True)
class Answer:
    """The fields of an answer. What is absent is as in a refusal, and None is left out."""

    fixed: Mapping[str, str] = field(default_factory=dict)
    fields: Iterable[tuple[str, str | None]] = ()


def checksum(message: bytes) -> str:
    """Return the checksum of a message that ends in `AZ`: the negative sum of its bytes, in hex."""
    return f"{-sum(message) & 0xFFFF:04X}"


def decode(line: bytes, encoding: str) -> Request:
    """Return the request in a line without its end. Raises Malformed."""
    sequence = ""
    if tail := _TAIL.search(line):
        if int(checksum(line[: tail.start() + 5]), 16) != int(tail[2], 16):
            raise Malformed
        sequence, line = tail[1].decode(), line[: tail.start()]
    text = line.decode(encoding, "replace")
    layout, at, fixed = REQUESTS.get(text[:2]), 2, {}
    if layout is None:
        raise Malformed
    for name, width in layout.fixed.items():
        if name == "date" and not _DATE.match(text, at):
            continue  # clients of one family send message 65 without it
        fixed[name], at = text[at : at + width], at + width
    if len(text) < at:
        raise Malformed
    fields: dict[str, str] = {}
    for part in text[at:].split("|"):
        value = part[2:].strip() if part[:2] in _OF_CLIENT else part[2:]
        fields.setdefault(part[:2], value)
    return Request(text[:2], fixed, fields, sequence)


def encode(code: str, answer: Answer, encoding: str, sequence: str = "") -> bytes:
    """Return an answer as it is sent. Characters that the encoding lacks are sent as `?`.

    Optional fields at the end that would make it longer than MOST_BYTES are left out.
    """
    layout = ANSWERS[code]
    values = {**_REFUSED, **answer.fixed}
    fixed = "".join(
        values.get(name, "").ljust(width)[:width] for name, width in layout.fixed.items()
    )
    given = [(name, value) for name, value in answer.fields if value is not None]
    found = dict(reversed(given))
    ordered = [(name, found.get(name, "")) for name in layout.required]
    ordered += [(name, value) for name, value in given if name not in layout.required]
    sent = (code + fixed).encode(encoding, "replace")
    for name, value in ordered:
        part = f"{name}{_clean(name, value)}|".encode(encoding, "replace")
        if len(sent) + len(part) + len("AY0AZ0000\r") > MOST_BYTES:
            break
        sent += part
    return _ended(sent, sequence)


def _ended(message: bytes, sequence: str) -> bytes:
    if sequence:
        message += f"AY{sequence}AZ".encode()
        message += checksum(message).encode()
    return message + END


def without_sequence(sent: bytes) -> bytes:
    """Return an answer as it is repeated: without sequence number and checksum."""
    return _TAIL.sub(b"", sent.rstrip(END)) + END


def resend(*, checked: bool) -> bytes:
    """Return the message that asks for the last one again."""
    return (RESEND + b"AZ" + checksum(RESEND + b"AZ").encode() if checked else RESEND) + END


def _clean(name: str, value: str) -> str:
    """Return a value that neither ends its field nor its message, and is not too long.

    Libki takes `BLN` anywhere in an answer for an invalid patron, so no text has it.
    """
    value = _UNSAFE.sub(" ", value)[:MOST_CHARACTERS]
    return value if name in _OF_CLIENT else value.replace("BLN", "BL N")


def instant_of(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the instant of a date of 18 characters; None: it is blank or no date."""
    try:
        found = datetime.strptime(text[:8] + text[12:], "%Y%m%d%H%M%S")  # noqa: DTZ007 - set below
    except ValueError:
        return None
    return found.replace(tzinfo=ZoneInfo("UTC") if text[8:12] == "   Z" else zone)


def date_of(at: datetime) -> str:
    """Return an instant as a date of 18 characters, in its own time zone, which is not named."""
    return f"{at:%Y%m%d}    {at:%H%M%S}"


def date_and_time(iso: str | None, zone: ZoneInfo) -> str:
    """Return an ISO date, until the end of its day, or an ISO instant as 18 characters."""
    if not iso:
        return ""
    at = datetime.fromisoformat(iso)
    if "T" in iso:
        return date_of(at.astimezone(zone))
    return date_of(at + timedelta(hours=23, minutes=59))


def money(cents: int) -> str:
    """Return an amount as it is written in BV: two decimals, whatever the language."""
    return f"{cents // 100}.{cents % 100:02d}"


def cents_of(amount: str) -> int | None:
    """Return the cents of an amount such as `12.50`; None: it is none."""
    found = re.fullmatch(r"(\d{1,7})(?:[.,](\d{1,2}))?", amount.strip(), re.ASCII)
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found else None
