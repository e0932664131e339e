"""A library for the tests of circulation: branches, patrons, titles, and a desk to lend at."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from services.circulation.closures.consumers import keep_calendar
from services.circulation.closures.jobs import due_dates
from services.circulation.holds.consumers import keep_patron
from services.circulation.settings import Settings
from shared.contracts.accounts import PatronRegistered
from shared.contracts.calendars import ClosureOut, Hours
from shared.contracts.notices import BranchRegistered
from shared.ids import card_digest, new_id
from shared.unit_of_work import Origin, Run
from tests import samples
from tests.support import Api, token
from tests.warm import settings_of

STAFF = token("s1", roles=["staff"])
STATION = token("b1", roles=["station"])
OPS = token("o1", roles=["ops"])
SERVICE = token("notices", roles=["service"])
KEY = "key of the cards"
DAILY = tuple(Hours(weekday=day, opens="09:00", closes="20:00") for day in range(7))


def noon(day: str) -> str:
    """Return noon of a day in the library's time zone, as a Carrel-Time header."""
    return f"{day}T12:00:00+08:00"


def settings_for(mongo_url: str, database: str) -> Settings:
    """Return settings for the role "api" only: events stay in the outbox, where tests read them."""
    return settings_of(
        Settings,
        mongo_url=mongo_url,
        database_prefix=database,
        roles=("api",),
        simulation=True,
        card_key=KEY,
        payment_provider="double",
        urls={"accounts": "http://127.0.0.1:9"},  # no server listens there
    )


def branch(
    code: str = "HKCL",
    kind: str = "central",
    *,
    version: int = 1,
    closures: tuple[ClosureOut, ...] = (),
    hours: tuple[Hours, ...] = DAILY,
) -> BranchRegistered:
    """A branch in an event of notices."""
    return BranchRegistered(
        version=version, branch=code, name=code, kind=kind, hours=hours, closures=closures
    )


def closure(closure_id: str, starts: str, *said: tuple[int, str | None]) -> ClosureOut:
    """A closure with its announcements, each as (branch version, announced end or None)."""
    announced = [(version, date.fromisoformat(end) if end else None) for version, end in said]
    return samples.closure(closure_id, date.fromisoformat(starts), *announced, reason="epidemic")


def patron(patron_id: str = "p1", category: str = "adult", **more: Any) -> PatronRegistered:
    """A patron with the card `card_of(patron_id)` in an event of accounts."""
    return PatronRegistered(
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


@dataclass(frozen=True)
class Desk:
    """A running circulation service with the actions of a lending desk."""

    api: Api

    def run(self, on: date = date(2020, 12, 1)) -> Run:
        """Return a runner of use cases at noon of a day, without an incoming event."""
        now = datetime.combine(on, time(4), UTC)
        return Run(self.api.app.state.unit_of_work, Origin(now=now), within=30)

    async def hear(self, *events: Any, on: date = date(2020, 12, 1)) -> None:
        """Process events of branches and patrons dated `on`; after branches the due-date job."""
        branches = [event for event in events if hasattr(event, "branch")]
        for event in events:
            handler = keep_calendar if event in branches else keep_patron
            await handler(event, self.run(on))
        if branches:
            await due_dates(self.run(on))

    async def patron(self, patron_id: str = "p1", category: str = "adult", **more: Any) -> str:
        """Register a patron with the card `card_of(patron_id)`; return the patron's token."""
        await self.hear(patron(patron_id, category, **more))
        return token(patron_id)

    async def copies(
        self, count: int, category: str = "adult", branch: str = "HKCL", **more: Any
    ) -> list[str]:
        """Catalogue a new title with copies, and return their barcodes."""
        barcodes = [f"B{new_id()[-12:]}" for _ in range(count)]
        answer = await self.api.insist(
            "POST",
            "/v1/titles",
            {
                "title": "Factory In and Out",
                "authors": ["Lui Tai-lok"],
                "kind": "book",
                "copies": [
                    {"barcode": barcode, "category": category, "branch": branch, **more}
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
        """Check copies out, and return the results."""
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
        """Lend a new copy, and return the loan."""
        category = more.pop("category", "adult")
        [barcode] = await self.copies(1, category)
        [result] = await self.lend(barcode, on=on, **more)
        assert result["ok"], result
        loan: dict[str, Any] = result["loan"]
        return loan

    async def take_back(
        self, *barcodes: str, on: str, branch: str = "HKCL", **more: Any
    ) -> list[dict[str, Any]]:
        """Return copies, and return the results."""
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
        """Return the current state of a loan."""
        answer = await self.api.insist("GET", f"/v1/loans/{loan['id']}", as_=STAFF)
        found: dict[str, Any] = answer.json()
        return found

    async def count(self, topic: str) -> int:
        """Return the number of events of a topic in the outbox."""
        return int(await self.api.app.state.database.outbox.count_documents({"topic": topic}))


def card_of(patron_id: str) -> str:
    """Return the card number of a patron of these tests."""
    return f"C-{patron_id}"
