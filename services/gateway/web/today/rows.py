"""Rows of the day's lists: read from their owners, narrowed and sorted, and shown as texts."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from services.gateway.web.account_names import account_names
from services.gateway.web.api import Api, segment
from services.gateway.web.page_request import PageRequest
from services.gateway.web.today.table import LISTS, Column, DeskList
from services.gateway.web.words import DOORS
from shared.clock import library_day
from shared.translations import marked

_AT_ONCE = 100

Row = dict[str, Any]


@dataclass(frozen=True)
class Chosen:
    """A list as it is asked for."""

    name: str
    place: str
    """Code of the library of the desk."""
    today: date
    q: str = ""
    """Words of the title, the barcode or the call number."""
    library: str = ""
    """Value of the other field of the row, mostly the code of a library."""
    span: str = ""

    @property
    def listed(self) -> DeskList:
        """The declaration of the list."""
        return LISTS[self.name]

    @property
    def query(self) -> dict[str, str]:
        """The choices, as in the address of the list."""
        given = {"q": self.q, "library": self.library, "span": self.span}
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, and the page that it leads to."""

    text: str
    href: str = ""


@dataclass(frozen=True)
class Shown:
    """The names that the cells of some rows need beside them."""

    request: PageRequest
    libraries: Mapping[str, str]
    readers: Mapping[str, str]
    sent: Mapping[str, Row] = field(default_factory=dict)
    """Last e-mail or letter about items that are overdue, by patron."""


async def read(request: PageRequest, chosen: Chosen) -> tuple[list[Row], list[Row], bool]:
    """Return the rows of a list as chosen, all that were read, and whether there are more."""
    listed, name = chosen.listed, chosen.name
    query = {"branch": chosen.place, "limit": str(listed.limit)}
    if name == "activities":
        query["from"] = chosen.today.isoformat()
    span = listed.spans.get(chosen.span) or listed.spans.get("")
    for edge, days in (("first", span.first), ("last", span.last)) if span else ():
        if days is not None:
            query[edge] = (chosen.today + timedelta(days=days)).isoformat()
    path = listed.path.format(name=name, place=segment(chosen.place))
    page = (await request.api.get(path, **query)).json()
    every = [_flat(item) for item in page[listed.items]]
    if name == "activities":
        every = today_of(every, request, chosen.today)
    words = chosen.q.casefold().split()
    found = [
        row
        for row in every
        if (not chosen.library or row.get(listed.other) == chosen.library)
        and all(word in row["words"] for word in words)
    ]
    if listed.order:
        found.sort(key=lambda row: [str(row.get(name) or "") for name in listed.order])
    return found, every, bool(page.get("next") or page.get("more"))


def today_of(activities: Iterable[Row], request: PageRequest, today: date) -> list[Row]:
    """Return the activities that have begun by the end of today and are not cancelled."""
    return [
        one
        for one in activities
        if not one["cancelled_at"]
        and library_day(datetime.fromisoformat(one["starts_at"]), request.zone) <= today
    ]


def _flat(item: Row) -> Row:
    number, title = item.get("call_number") or {}, item.get("title") or item.get("subject")
    words = (title, item.get("barcode"), number.get("number"), item.get("name"))
    return {
        **item,
        **item.get("contact", {}),
        "title": title,
        "patron_id": item["id"] if "card_number" in item else item.get("patron_id"),
        "shelf_order": number.get("shelf_order", ""),
        "words": " ".join(filter(None, words)).casefold(),
    }


async def shown(
    request: PageRequest, chosen: Chosen, libraries: Mapping[str, str], rows: Sequence[Row]
) -> Shown:
    """Read what the cells of some rows need, in a number of requests that is fixed for a page."""
    known = {row["id"]: reader(row) for row in rows if "card_number" in row}
    ids = sorted({row["patron_id"] for row in rows if row["patron_id"]} - known.keys())
    overdue = ids if chosen.name == "overdue" else []
    named, letters = await asyncio.gather(
        account_names(request.api, ids), _letters(request.api, overdue)
    )
    readers = {one: reader(found) for one, found in named.items()}
    return Shown(request, libraries, known | readers, letters)


async def _letters(api: Api, ids: Sequence[str]) -> dict[str, Row]:
    parts = [ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE)]
    path = "/v1/overdue-deliveries"
    replies = await asyncio.gather(*(api.send("POST", path, {"patron_ids": one}) for one in parts))
    return {one["patron_id"]: one for reply in replies for one in reply.items}


def reader(patron: Mapping[str, Any]) -> str:
    """Return a patron's name with the number of the card."""
    return f"{patron['name']} · {patron['card_number']}"


ON_HOLD_SHELF = marked("On the shelf of reserved items")
NOTICES = marked("%(count)s, the last on %(day)s")
SENT = {
    ("email", "sent"): marked("e-mail sent"),
    ("email", "bounced"): marked("e-mail came back"),
    ("email", "failed"): marked("e-mail could not be sent"),
    ("post", "sent"): marked("letter made"),
    ("post", "held"): marked("letter to be made"),
    ("post", "waiting"): marked("letter to be posted"),
}
"""Outcomes of the last e-mail or letter, by channel and state; others are not named."""


COMING = {"booked": marked("Booked"), "checked-in": marked("Has come")}


def session_of(row: Row, request: PageRequest) -> str:
    """Return the hours of the session of a study room."""
    ends = (datetime.fromisoformat(row[edge]) for edge in ("starts_at", "ends_at"))
    return "–".join(f"{one.astimezone(request.zone):%H:%M}" for one in ends)


def cells(row: Row, columns: Iterable[Column], shown: Shown) -> list[Cell]:
    """Return the cells of a row."""
    return [_KINDS[column.kind](row, column.name, shown) for column in columns]


def _title(row: Row, _: str, __: Shown) -> Cell:
    text = " ".join(filter(None, (row["title"], row.get("volume")))) or "–"
    if "subject" in row:
        return Cell(text, f"/desk/enquiries/{segment(row['id'])}")
    if "starts_at" in row:
        return Cell(text, f"/desk/activities/{segment(row['id'])}")
    return Cell(text, f"/desk/copies/{segment(row['barcode'])}")


def _text(row: Row, name: str, _: Shown) -> Cell:
    return Cell(str(row.get(name) or "–"))


def _number(row: Row, name: str, _: Shown) -> Cell:
    return Cell(str(row[name]))


def _session(row: Row, _: str, shown: Shown) -> Cell:
    return Cell(session_of(row, shown.request))


def _door(row: Row, _: str, shown: Shown) -> Cell:
    name = row["name"]
    return Cell(shown.request.language.say(DOORS[name]) if name in DOORS else name)


def _coming(row: Row, _: str, shown: Shown) -> Cell:
    return Cell(shown.request.language.say(COMING[row["state"]]))


def _shelf(row: Row, _: str, shown: Shown) -> Cell:
    if row["on_hold_shelf"]:
        return Cell(shown.request.language.say(ON_HOLD_SHELF))
    number = (row["call_number"] or {}).get("number")
    return Cell(" · ".join(filter(None, (row["shelf_location"], number))) or "–")


def _reader(row: Row, _: str, shown: Shown) -> Cell:
    patron = row["patron_id"]
    if not patron:
        return Cell("–")
    return Cell(shown.readers.get(patron, "–"), f"/desk/accounts/{segment(patron)}")


def _library(row: Row, name: str, shown: Shown) -> Cell:
    code = row[name] or "–"
    return Cell(shown.libraries.get(code, code))


def _day(row: Row, name: str, shown: Shown) -> Cell:
    return Cell(shown.request.language.day(row[name]) if row[name] else "–")


def _moment(row: Row, name: str, shown: Shown) -> Cell:
    return Cell(shown.request.language.moment(row[name], shown.request.zone))


def _due(row: Row, _: str, shown: Shown) -> Cell:
    cell = _moment(row, "due_at", shown) if row["due_at"] else _day(row, "due_on", shown)
    return Cell(cell.text, f"/desk/loans/{segment(row['loan_id'])}")


def _notices(row: Row, _: str, shown: Shown) -> Cell:
    if not row["overdue_notices"]:
        return Cell("–")
    language, last = shown.request.language, shown.sent.get(row["patron_id"] or "")
    day = language.day(row["overdue_noticed_on"])
    text = language.say(NOTICES) % {"count": row["overdue_notices"], "day": day}
    by = SENT.get((last["channel"], last["state"])) if last else None
    return Cell(f"{text} · {language.say(by)}" if by else text)


def _place(row: Row, _: str, __: Shown) -> Cell:
    if row["places"] is None:
        return Cell("–")
    return Cell(f"{row['places'] - row['places_left']} / {row['places']}")


_KINDS = {
    "title": _title,
    "text": _text,
    "number": _number,
    "shelf": _shelf,
    "reader": _reader,
    "library": _library,
    "day": _day,
    "moment": _moment,
    "due": _due,
    "notices": _notices,
    "place": _place,
    "session": _session,
    "coming": _coming,
    "door": _door,
}
