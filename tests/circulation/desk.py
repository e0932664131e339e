"""A library for the tests of circulation: branches, patrons and titles, and a desk to lend at."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from services.circulation.consumers import keep_calendar, keep_patron
from services.circulation.jobs import due_dates
from services.circulation.settings import Settings
from shared.contracts.accounts import PatronRegistered
from shared.contracts.notices import Announcement, BranchRegistered, ClosureOut, Hours
from shared.ids import card_digest, new_id
from shared.unit_of_work import Origin, Run
from tests.support import Api, token

STAFF = token("s1", roles=["staff"])
STATION = token("b1", roles=["station"])
OPS = token("o1", roles=["ops"])
SERVICE = token("notices", roles=["service"])
KEY = "key of the cards"
DAILY = tuple(Hours(weekday=day, opens="09:00", closes="20:00") for day in range(7))


def noon(day: str) -> str:
    """Noon in the library, as Carrel-Time."""
    return f"{day}T12:00:00+08:00"


def settings_for(mongo_url: str, database: str) -> Settings:
    """Commands and queries only; events stay in the outbox, where a test can look at them."""
    return Settings(
        mongo_url=mongo_url,
        database_prefix=database,
        roles=("api",),
        simulation=True,
        card_key=KEY,
        payment_provider="double",
        accounts_url="http://127.0.0.1:9",  # nobody is there
    )


def branch(
    code: str = "HKCL",
    kind: str = "central",
    *,
    version: int = 1,
    closures: tuple[ClosureOut, ...] = (),
    hours: tuple[Hours, ...] = DAILY,
) -> BranchRegistered:
    """A branch as notices tells of it."""
    return BranchRegistered(
        version=version, branch=code, name=code, kind=kind, hours=hours, closures=closures
    )


def closure(closure_id: str, starts: str, *said: tuple[int, str | None]) -> ClosureOut:
    """A closure with its announcements: the branch's version, and the end said then."""
    return ClosureOut(
        closure_id=closure_id,
        from_=date.fromisoformat(starts),
        reason="epidemic",
        announcements=tuple(
            Announcement(
                version=version,
                at=datetime(2020, 12, 1, version, tzinfo=UTC),
                reopened_on=date.fromisoformat(end) if end else None,
            )
            for version, end in said
        ),
    )


@dataclass(frozen=True)
class Desk:
    """One service, and what a desk does with it."""

    api: Api

    def run(self, on: date = date(2020, 12, 1)) -> Run:
        """As a consumer's or a job's of a day, not from any event."""
        now = datetime.combine(on, time(4), UTC)
        return Run(self.api.app.state.unit_of_work, Origin(now=now), within=30)

    async def hear(self, *events: Any, on: date = date(2020, 12, 1)) -> None:
        """Take in events of branches and patrons, that happened on a day; due dates follow."""
        for event in events:
            handler = keep_calendar if hasattr(event, "branch") else keep_patron
            await handler(event, self.run(on))
            await due_dates(self.run(on))

    async def patron(self, patron_id: str = "p1", category: str = "adult", **more: Any) -> str:
        """A patron; the card number is that of `card_of`. Gives the patron's token."""
        await self.hear(
            PatronRegistered(
                **{
                    "version": 1,
                    "patron_id": patron_id,
                    "category": category,
                    "home_branch": "HKCL",
                    "language": "en",
                    "status": "active",
                    "card_digest": card_digest(card_of(patron_id), KEY),
                    **more,
                }
            )
        )
        return token(patron_id)

    async def copies(self, count: int, category: str = "adult", branch: str = "HKCL") -> list[str]:
        """Barcodes of new copies of one new title."""
        barcodes = [f"B{new_id()[-12:]}" for _ in range(count)]
        answer = await self.api.insist(
            "POST",
            "/v1/titles",
            {
                "title": "Factory In and Out",
                "authors": ["Lui Tai-lok"],
                "kind": "book",
                "copies": [
                    {"barcode": barcode, "category": category, "branch": branch}
                    for barcode in barcodes
                ],
            },
            as_=STAFF,
        )
        assert answer.status == 201, answer.json()
        return barcodes

    async def lend(
        self, *barcodes: str, to: str = "p1", on: str = "2020-11-20", branch: str = "HKCL"
    ) -> list[dict[str, Any]]:
        """The results of a check-out."""
        answer = await self.api.insist(
            "POST",
            "/v1/checkouts",
            {"card_number": card_of(to), "barcodes": barcodes, "branch": branch},
            as_=STAFF,
            at=noon(on),
        )
        assert answer.status == 200, answer.json()
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    async def loan(self, on: str = "2020-11-20", **more: Any) -> dict[str, Any]:
        """A loan of a new copy."""
        category = more.pop("category", "adult")
        [barcode] = await self.copies(1, category)
        [result] = await self.lend(barcode, on=on, **more)
        assert result["ok"], result
        loan: dict[str, Any] = result["loan"]
        return loan

    async def take_back(
        self, *barcodes: str, on: str, branch: str = "HKCL", **more: Any
    ) -> list[dict[str, Any]]:
        """The results of a return."""
        answer = await self.api.insist(
            "POST",
            "/v1/returns",
            {"barcodes": barcodes, "branch": branch, "channel": "desk", **more},
            as_=STAFF,
            at=noon(on),
        )
        assert answer.status == 200, answer.json()
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    async def stored(self, loan: dict[str, Any]) -> dict[str, Any]:
        """A loan as it is now."""
        answer = await self.api.insist("GET", f"/v1/loans/{loan['id']}", as_=STAFF)
        found: dict[str, Any] = answer.json()
        return found

    async def count(self, topic: str) -> int:
        """How many events of a topic wait in the outbox."""
        return int(await self.api.app.state.database.outbox.count_documents({"topic": topic}))


def card_of(patron_id: str) -> str:
    """The card number of a patron of these tests."""
    return f"C-{patron_id}"
