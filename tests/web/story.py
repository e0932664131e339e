"""A small library one week before its fines resume, set up through the public API."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.library import WEEK, Library, unique
from tests.mail_server import MailServer
from tests.support import until

OPENING = "2020-11-02T10:00:00+08:00"
BEFORE = "2020-11-25T10:00:00+08:00"
TODAY = "2021-02-26T10:00:00+08:00"

CENTRAL, MAJOR, SMALL = "HKCL", "STPL", "NLCPL"
BRANCHES = {
    CENTRAL: ("Hong Kong Central Library", "central"),
    MAJOR: ("Sha Tin Public Library", "major"),
    SMALL: ("North Lamma Public Library", "small"),
}
PLACES = {
    CENTRAL: {"district": {"en": "Wan Chai"}, "latitude": 22.28, "longitude": 114.19},
    MAJOR: {"district": {"en": "Sha Tin"}, "latitude": 22.38, "longitude": 114.19},
}
TITLES = {
    "factory": ("Factory In and Out", "Lui, Tai-lok"),
    "dream": ("紅樓夢", "曹雪芹"),
    "markup": ("<b>Tags</b> & how to read them", "O'Brien, Ann"),
    "wanted": ("A book that everybody wants", "Chan, Mei"),
}
RECORD = {
    "languages": ["chi"],
    "edition": "3rd edition",
    "publisher": "人民文學出版社",
    "place": "北京",
    "year": 2008,
    "series": [{"title": "中國古典文學讀本叢書", "number": "1"}],
    "subjects": ["章回小說", "Families -- China -- Fiction"],
    "extent": "2冊 ; 21公分",
    "audience": "adult",
    "summary": "A family in its best years.\nAnd in its last.",
    "contents": "1. 前八十回 -- 2. 後四十回",
    "identifiers": [{"scheme": "ean", "value": "4006381333931"}],
    "original_title": "石頭記",
    "other_titles": ["Hong lou meng", "Dream of the red chamber"],
}
"""The record of `dream`."""
CLOSURE = {
    "kinds": ["central", "major", "small"],
    "from": "2020-12-10",
    "reason": "Disease prevention and control",
}
REOPENING = {
    "branches": [CENTRAL, MAJOR],
    "reopened_on": "2021-02-19",
    "services": ["Lending and returning", "Collection of reserved items"],
    "measures": ["Hand hygiene", "LeaveHomeSafe or registration"],
    "capacity": 200,
    "hours": [{"weekday": day, "opens": "09:00", "closes": "19:00"} for day in range(1, 8)],
}
SUSPENSION = {
    "starts_on": "2020-12-02",
    "resumes_on": "2021-03-05",
    "kinds": ["central", "major", "small"],
    "reason": "Libraries are closed",
}
NOTICE: dict[str, Any] = {
    "title": "Partial reopening",
    "content": "Lending and returning resume on 19 February.",
    "branches": [CENTRAL],
}
TALK: dict[str, Any] = {
    "title": "Factory In and Out: Small Subcontractors and Outworkers",
    "type": "talk",
    "venue": "Online",
    "starts_at": "2021-03-20T19:00:00+08:00",
    "speaker": "Prof. LUI Tai-lok",
    "organiser": "Hong Kong Public Libraries",
    "language": "Cantonese",
    "enquiries": "2921 0388",
}
RECORDED: dict[str, Any] = {
    **TALK,
    "title": "Outworkers of the New Towns",
    "starts_at": "2020-11-20T19:00:00+08:00",
    "recording": {
        "available_from": "2020-11-20T19:00:00+08:00",
        "url": "https://recordings.example/outworkers",
    },
}
EXHIBITION = {
    **TALK,
    "title": "Paper and Ink",
    "type": "exhibition",
    "venue": "Exhibition Gallery",
    "branch": CENTRAL,
    "starts_at": "2021-03-01T09:00:00+08:00",
    "ends_at": "2021-03-28T19:00:00+08:00",
}


SEASON: dict[str, Any] = {
    "name": "Examinations of 2021",
    "rooms": [{"branch": CENTRAL, "places": 80, "quotas": {"young-adult": 40}}],
    "sessions": [
        {"opens": "09:00", "closes": "13:00"},
        {"opens": "13:30", "closes": "17:30"},
        {"opens": "18:00", "closes": "22:00"},
    ],
    "applications_from": "2021-02-10",
    "applications_until": "2021-03-10",
    "draw_on": "2021-03-12",
    "valid_from": "2021-03-15",
    "valid_until": "2021-05-20",
}
DRAWN: dict[str, Any] = {
    **SEASON,
    "name": "Examinations of March",
    "rooms": [{"branch": MAJOR, "places": 1}],
    "applications_until": "2021-02-20",
    "draw_on": "2021-02-24",
    "valid_from": "2021-02-25",
}

ROOM: dict[str, Any] = {
    "places": 4,
    "sessions": SEASON["sessions"],
    "days_ahead": 7,
    "most_bookings": 2,
}
BANKED = "Where are the old maps?"
"""A question of the question bank, with its answer in English."""


@dataclass(frozen=True)
class Story:
    """The library and its things; the business time is TODAY."""

    library: Library
    librarian: str
    """Card number; `library.tokens` has the tokens of all who are logged in."""
    titles: dict[str, str]
    """Title ids by the keys of TITLES."""
    activities: dict[str, str]
    """Ids of `talk`, `recorded` and `exhibition`."""
    closure_id: str
    suspension_id: str
    season_id: str
    """A season of the study rooms to apply for."""
    drawn_id: str
    """A season of the study rooms whose places are drawn."""

    async def reader(self, language: str = "en") -> str:
        """Add a patron with two loans, a hold, an application for a study room, and a question.

        One loan is of November, the other of last week.

        The patron owes nothing, since fines are suspended. Returns the card number.
        """
        card = await self.library.patron(CENTRAL, language=language)
        for day in (BEFORE, "2021-02-20T10:00:00+08:00"):
            [barcode] = await self.library.copies(CENTRAL, 1)
            with at(self.library, day):
                await self.library.lend(card, [barcode], CENTRAL)
        body = {"title_id": self.titles["wanted"], "pickup_branch": CENTRAL}
        await self.library.post("/v1/holds", body, by=card)
        path = f"/v1/study-seasons/{self.season_id}/application"
        await self.library.post(path, {"branch": CENTRAL}, by=card)
        await self.ask(card)
        return card

    async def ask(self, card: str, subject: str = "Old maps", **more: str) -> str:
        """Ask the librarians a question as a patron, and return its id."""
        body = {"subject": subject, "text": "Where are the maps of 1900?", **more}
        return str((await self.library.post("/v1/enquiries", body, by=card))["id"])

    async def guest(self, mail: MailServer, language: str = "en") -> str:
        """Ask a question as a guest; return the path of the link in the e-mail to confirm."""
        address = f"{unique('guest').lower()}@example.org"
        body = {"subject": "Old maps", "text": "Where are they?", "language": language}
        await self.library.post("/v1/guest-enquiries", {**body, "address": address}, by="")
        return await link_to(mail, address, 1)

    async def full_library(self) -> tuple[str, str]:
        """Add a library for one person with one inside; return its code and its venue code."""
        code = await self.library.branch()
        with at(self.library, BEFORE):
            closure = {"branches": [code], "from": "2020-12-10", "reason": "Prevention"}
            closed = await self.library.post("/v1/closures", closure, by="staff")
            terms = {"branches": [code], "reopened_on": "2021-02-19", "capacity": 1}
            await self.library.post(f"/v1/closures/{closed['id']}/reopening", terms, by="staff")
        await self.count(code, entered=1)
        venue = await self.library.post(f"/v1/branches/{code}/venue", by="staff")
        return code, str(venue["venue"])

    async def count(self, code: str, **people: int) -> None:
        """Count people at a door of a library."""
        body = {"door": "Main", **people}
        await self.library.post(f"/v1/branches/{code}/counts", body, by="staff")

    async def caller(self, role: str) -> str:
        """Add an account of staff, a tracer or an operator, and return its card number."""
        card = await self.library.hire(role)
        self.library.tokens[card] = await self.library._log_in(card)
        return card

    async def account(self, role: str) -> str:
        """Add an account of staff or a machine that has no PIN yet, and return its id."""
        account = {"card_number": unique(role), "name": f"A. {role}", "role": role}
        account["email"] = "staff@example.org"
        return str((await self.library.post("/v1/staff", account, by="admin"))["id"])

    async def busy_reader(self, language: str = "en") -> "BusyReader":
        """Add a patron with three loans, one of them of November, who owes a fine of four days."""
        card = await self.library.patron(CENTRAL, language=language)
        fined, late, lost, returned = barcodes = [unique("K") for _ in range(4)]
        for barcode in barcodes:
            copy = {
                "barcode": barcode,
                "category": "adult",
                "branch": CENTRAL,
                "price_cents": 12800,
            }
            body = {"title": f"Title {barcode}", "authors": [], "kind": "book", "copies": [copy]}
            await self.library.post("/v1/titles", body, by="staff")
        for day, lent in (
            (OPENING, [fined]),
            (BEFORE, [late]),
            ("2021-02-20T10:00:00+08:00", [lost, returned]),
        ):
            with at(self.library, day):
                await self.library.lend(card, lent, CENTRAL)
        with at(self.library, "2020-11-20T10:00:00+08:00"):
            await self.library.take_back([fined], CENTRAL)
        await self.library.flow.settle()  # accounts blocks the patron when it has the charge
        return BusyReader(card, late, lost, returned)

    async def debtor(self, language: str = "en") -> str:
        """Add a patron who owes a fine of four days, and return the card number."""
        card = await self.library.patron(CENTRAL, language=language)
        [barcode] = await self.library.copies(CENTRAL, 1)
        with at(self.library, OPENING):
            await self.library.lend(card, [barcode], CENTRAL)
        with at(self.library, "2020-11-20T10:00:00+08:00"):
            await self.library.take_back([barcode], CENTRAL)
        await self.library.flow.settle()  # accounts blocks the patron when it has the charge
        return card


@dataclass(frozen=True)
class BusyReader:
    """A patron with several loans: the card number, and the barcodes on loan."""

    card: str
    late: str
    lost: str
    returned: str


async def told(library: Library) -> Story:
    """Set the story up on a new system, and wait until all its events are processed."""
    library.now = OPENING
    librarian = await library.hire("staff")
    library.tokens[librarian] = await library._log_in(librarian)
    for code, (name, kind) in BRANCHES.items():
        body = {"code": code, "name": name, "kind": kind, "hours": WEEK, "place": PLACES.get(code)}
        await library.post("/v1/branches", body, by="staff")
    study_room = f"/v1/branches/{CENTRAL}/services/study-room"
    await library.call("PUT", study_room, {"hours": WEEK}, by="staff")
    period = {"until": "2021-05-31", "reason": "examinations", "hours": WEEK}
    await library.call("PUT", f"{study_room}/periods/2021-03-01", period, by="staff")
    wordings = {"en": {"question": BANKED, "answer": "In the map room on the sixth floor."}}
    await library.post("/v1/questions", {"wordings": wordings}, by="staff")
    titles = {key: await _title(library, key) for key in TITLES}
    activities = {
        key: (await library.post("/v1/activities", body, by="staff"))["id"]
        for key, body in (("talk", TALK), ("recorded", RECORDED), ("exhibition", EXHIBITION))
    }
    await library.flow.settle()
    with at(library, "2020-12-08T10:00:00+08:00"):
        closure = await library.post("/v1/closures", CLOSURE, by="staff")
        suspension = await library.post("/v1/fine-suspensions", SUSPENSION, by="staff")
    with at(library, "2021-02-16T10:00:00+08:00"):
        await library.post(f"/v1/closures/{closure['id']}/reopening", REOPENING, by="staff")
        await library.post("/v1/notices", NOTICE, by="staff")
    await library.call("PUT", f"/v1/study-rooms/{MAJOR}", ROOM, by="staff")
    season = (await library.post("/v1/study-seasons", SEASON, by="staff"))["id"]
    library.now = TODAY
    drawn = await _drawn(library)
    keeper = await library.patron(CENTRAL)
    await library.flow.settle()
    await library.lend(keeper, ["K-wanted-1"], CENTRAL)
    return Story(
        library, librarian, titles, activities, closure["id"], suspension["id"], season, drawn
    )


async def _drawn(library: Library) -> str:
    """Draw the places of a season that two patrons applied for by post; return its id."""
    season: str = (await library.post("/v1/study-seasons", DRAWN, by="staff"))["id"]
    path = f"/v1/study-seasons/{season}"
    for paper in ("A-1", "A-2"):
        body = {
            "card_number": await library.patron(MAJOR),
            "branch": MAJOR,
            "paper_number": paper,
            "received_on": "2021-02-15",
        }
        await library.post(f"{path}/applications", body, by="staff")
    await library.post(f"{path}/closing", by="staff")
    await library.post(f"{path}/draw", by="staff")
    return season


async def _title(library: Library, key: str) -> str:
    name, author = TITLES[key]
    copy = {"barcode": f"K-{key}-1", "category": "adult", "branch": CENTRAL}
    body: dict[str, Any] = {"title": name, "authors": [author], "kind": "book", "copies": [copy]}
    if key == "dream":
        label = {"call_number": {"number": "857.49 8546", "scheme": "ccl"}, "shelf_location": "4/F"}
        body |= {"copies": [copy | {"record": label}], "isbn": "9787020002207", "record": RECORD}
    return str((await library.post("/v1/titles", body, by="staff"))["id"])


async def link_to(mail: MailServer, address: str, number: int) -> str:
    """Wait for a number of e-mails to a guest; return the path of the link in the last."""

    async def arrived() -> bool:
        return mail.recipients.count(address) >= number

    await until(arrived, within=60)
    message = [one for one in mail.accepted if one["To"] == address][-1]
    body = message.get_body(("plain",))
    assert body is not None
    [path] = re.findall(r"https://library\.example\.org(/ask/[\w.-]+)", body.get_content())
    return str(path)


@contextmanager
def at(library: Library, now: str) -> Iterator[None]:
    """Set another business time for the library while the block runs."""
    before, library.now = library.now, now
    try:
        yield
    finally:
        library.now = before


async def staff_code_to(mail: MailServer, address: str) -> tuple[str, str]:
    """Wait for an e-mail to somebody of the staff; return the path of its link, and the code."""

    async def arrived() -> bool:
        return address in mail.recipients

    await until(arrived, within=60)
    message = [one for one in mail.accepted if one["To"] == address][-1]
    body = message.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    found = re.search(r"(\d{8}).*?(/forgotten-pin/[\w-]+)", text, re.DOTALL)
    assert found, text
    return found[2], found[1]
