"""A small library on the running system, used through the gateway."""

import asyncio
import secrets
import time
from collections import defaultdict
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, cast

import aiohttp

from ops.direct import add_account
from ops.infrastructure.processes import System
from ops.scenario.api import Flow
from services.accounts.cardholders.rules import StaffRole
from services.accounts.settings import Settings as AccountsSettings
from tests import patience
from tests.support import Client, until

PIN = "482915"
ROLES = ("staff", "supervisor", "station", "tracer", "admin")
"""Roles that somebody is engaged for when a test needs them: hashing a PIN takes its time."""
_engaged: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
"""Tokens of the staff that tests share, by the address and the card key of their system."""
WEEK = [{"weekday": day, "opens": "09:00", "closes": "20:00"} for day in range(1, 8)]


class PatientFlow(Flow):
    """The way of events through a system, with limits for tests."""

    async def settle(self, within: float = 60.0) -> None:
        """Wait until every event is processed. Raises TimeoutError after `within`, stretched."""
        await super().settle(patience.stretched(within))


class Library:
    """Calls through the gateway; 503 answers and lost connections are retried with one key."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.now = "2020-11-02T10:00:00+08:00"
        self.tokens: dict[str, str] = {}
        self._engaged = _engaged[system.gateway_url, system.environment["CARREL_CARD_KEY"]]
        self._engaging = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=20),
            connector=aiohttp.TCPConnector(ssl=self.system.tls),
        )
        self._client = Client(self.system.gateway_url, self._session)
        self.flow = await PatientFlow(self.system, self._session).__aenter__()
        if "ops" not in self._engaged:
            self._engaged["ops"] = await self._log_in(await self.hire("ops"))
        self.tokens |= self._engaged
        await self.engage("staff")
        return self

    async def engage(self, role: str) -> str:
        """Return the token of somebody with a role of ROLES; the first call creates the account."""
        async with self._engaging:
            if role not in self.tokens:
                token = await self._log_in(await self.hire(role))
                self.tokens[role] = self._engaged[role] = token
        return self.tokens[role]

    async def hire(self, role: str) -> str:
        """Add an account in the database, and return its card number."""
        card, settings = unique(role), self.system.settings(AccountsSettings)
        await add_account(settings, card, PIN, f"A. {role}", cast(StaffRole, role))
        return card

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.flow.__aexit__(kind, error, trace)
        await self._session.close()

    async def try_(
        self, method: str, path: str, body: Any = None, *, by: str = "", key: str = "", at: str = ""
    ) -> tuple[int, Any]:
        """Send one request; return its status and its body, decoded if it is JSON."""
        if by in ROLES and by not in self.tokens:
            await self.engage(by)
        answer = await self._client.call(
            method, path, body, as_=self.tokens[by] if by else None, at=at or self.now, key=key
        )
        decoded = answer.body and "json" in answer.headers.get("Content-Type", "")
        return answer.status, answer.json() if decoded else answer.body or None

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str = "",
        key: str = "",
        within: float = 120.0,
    ) -> Any:
        """Send a request until it succeeds, and return its decoded body.

        Retries a 503 and a failed connection for `within` seconds, stretched, under one
        idempotency key. So it does for a branch that the service has not heard of yet: its
        registration is an event. Fails the test on any other status of 400 or more.
        """
        key = key or secrets.token_hex(8)
        moment = self.now  # another task may set `now` while this one waits
        deadline = time.monotonic() + patience.stretched(within)
        while True:
            try:
                status, answer = await self.try_(method, path, body, by=by, key=key, at=moment)
            except (aiohttp.ClientError, TimeoutError):
                status, answer = 503, None
            if status < 400:
                return answer
            unheard = status == 404 and answer["code"] in ("no-such-branch", "unknown-branch")
            assert status == 503 or unheard, f"{method} {path}: {status} {answer}"
            assert time.monotonic() < deadline, f"{method} {path}: still {answer}"
            await asyncio.sleep(0.05)

    async def post(self, path: str, body: Any = None, *, by: str) -> Any:
        """Send a POST until it succeeds."""
        return await self.call("POST", path, body, by=by)

    async def get(self, path: str, *, by: str = "") -> Any:
        """Send a GET until it succeeds."""
        return await self.call("GET", path, by=by)

    async def upload(self, content: bytes, *, by: str, name: str = "plan.txt") -> str:
        """Upload a file for a question, and return its id."""
        answer = await self._client.insist(
            "POST",
            f"/v1/attachments?name={name}",
            data=content,
            headers={"Content-Type": "application/octet-stream"},
            as_=self.tokens[by],
            at=self.now,
        )
        assert answer.status == 201, answer.body
        return str(answer.json()["id"])

    async def log_in_again(self, *cards: str) -> None:
        """Engage new staff and log patrons in, as after a restore, which ends all sessions."""
        self._engaged.clear()
        self.tokens.clear()
        self.tokens["ops"] = self._engaged["ops"] = await self._log_in(await self.hire("ops"))
        await self.engage("staff")
        for card in cards:
            self.tokens[card] = await self._log_in(card)

    async def _log_in(self, card: str) -> str:
        answer = await self.call("POST", "/v1/sessions", {"card_number": card, "pin": PIN})
        return str(answer["access_token"])

    async def branch(self, kind: str = "district") -> str:
        """Register a branch that is open every day, and return its code."""
        code = unique("B")[:8]
        body = {"code": code, "name": f"Library {code}", "kind": kind, "hours": WEEK}
        await self.post("/v1/branches", body, by="staff")
        return code

    async def patron(self, branch: str, category: str = "adult", language: str = "en") -> str:
        """Register a patron and log in; return the card number, which `by` accepts."""
        card = unique("C")
        body = {
            "card_number": card,
            "pin": PIN,
            "name": f"Patron {card}",
            "category": category,
            "home_branch": branch,
            "language": language,
        }
        await self.post("/v1/patrons", body, by="staff")
        self.tokens[card] = await self._log_in(card)
        return card

    async def copies(self, branch: str, count: int, category: str = "adult") -> list[str]:
        """Catalogue a new title with copies, and return their barcodes."""
        barcodes = [unique("K") for _ in range(count)]
        copies = [{"barcode": b, "category": category, "branch": branch} for b in barcodes]
        body = {"title": f"Title {barcodes[0]}", "authors": ["A. Author"], "kind": "book"}
        await self.post("/v1/titles", {**body, "copies": copies}, by="staff")
        return barcodes

    async def lend(self, card: str, barcodes: list[str], branch: str) -> list[dict[str, Any]]:
        """Check copies out to a patron, and return the loans."""
        body = {"card_number": card, "barcodes": barcodes, "branch": branch}
        answer = await self.post("/v1/checkouts", body, by="staff")
        assert all(result["ok"] for result in answer["results"]), answer
        return [result["loan"] for result in answer["results"]]

    async def activity(self, places: int, starts_at: str = "2021-12-20T19:00:00+08:00") -> str:
        """Publish a talk with this number of places, and return its id."""
        body = {
            "title": "A talk",
            "type": "talk",
            "venue": "Hall",
            "organiser": "The library",
            "starts_at": starts_at,
            "places": places,
        }
        return str((await self.post("/v1/activities", body, by="staff"))["id"])

    async def season(self, branch: str, places: int = 1) -> str:
        """Announce a season of a study room to apply for on this day only, and return its id.

        The places may be drawn on the next day, and the cards are valid for a week from then on.
        """
        today = datetime.fromisoformat(self.now).date()
        next_day = today + timedelta(days=1)
        body = {
            "name": "Examinations",
            "rooms": [{"branch": branch, "places": places}],
            "sessions": [{"opens": "09:00", "closes": "20:00"}],
            "applications_from": today.isoformat(),
            "applications_until": today.isoformat(),
            "draw_on": next_day.isoformat(),
            "valid_from": next_day.isoformat(),
            "valid_until": (next_day + timedelta(days=6)).isoformat(),
        }
        return str((await self.post("/v1/study-seasons", body, by="staff"))["id"])

    async def booking(self, branch: str, card: str) -> dict[str, Any]:
        """Let sessions of a study room be booked, and book one of tomorrow for a patron."""
        room = {
            "places": 2,
            "sessions": [{"opens": "10:00", "closes": "13:00"}],
            "days_ahead": 7,
            "most_bookings": 2,
        }
        await self.call("PUT", f"/v1/study-rooms/{branch}", room, by="staff")
        tomorrow = datetime.fromisoformat(self.now).date() + timedelta(days=1)
        body = {"day": tomorrow.isoformat(), "session": 1}
        booked: dict[str, Any] = await self.post(
            f"/v1/study-rooms/{branch}/bookings", body, by=card
        )
        return booked

    async def reserve(self, card: str, barcode: str, branch: str) -> dict[str, Any]:
        """Place a hold on the title of a copy, and return the hold."""
        copy = await self.get(f"/v1/copies/{barcode}", by="staff")
        body = {"title_id": copy["title_id"], "pickup_branch": branch}
        hold: dict[str, Any] = await self.post("/v1/holds", body, by=card)
        return hold

    async def take_back(self, barcodes: list[str], branch: str) -> list[dict[str, Any]]:
        """Return copies at the desk, and return the results."""
        body = {"barcodes": barcodes, "branch": branch, "channel": "desk"}
        answer = await self.post("/v1/returns", body, by="staff")
        assert all(result["ok"] for result in answer["results"]), answer
        results: list[dict[str, Any]] = answer["results"]
        return results

    async def settle(self, card: str, branch: str) -> None:
        """Take back all that a patron has on loan and waive what they owe, as before an erasure."""
        loans = (await self.get("/v1/me", by=card))["loans"]
        if loans:
            await self.take_back([loan["barcode"] for loan in loans], branch)
        for charge in (await self.get("/v1/me/charges", by=card))["items"]:
            if charge["outstanding_cents"]:
                waiver = {"amount_cents": charge["outstanding_cents"], "reason": "They leave"}
                await self.post(f"/v1/charges/{charge['id']}/waiver", waiver, by="staff")

    async def linked(self, card: str, other: str) -> str:
        """Link the cards of two patrons, with the consent of both; return the id of the other."""
        body = {"card_number": other}
        sent = await self.post("/v1/me/family-invitations", body, by=card)
        await self.delivered(other)
        path = f"/v1/me/family-invitations/{sent['id']}/acceptance"
        await self.post(path, by=other)
        return str((await self.get("/v1/me", by=other))["patron"]["id"])

    async def delivered(self, card: str) -> list[dict[str, Any]]:
        """Wait until a patron has invitations to link cards, and return them."""

        async def received() -> Any:
            return (await self.get("/v1/me/family", by=card))["received"]

        found: list[dict[str, Any]] = await until(received, within=30)
        return found

    async def job(self, name: str) -> int:
        """Run a job now, and return how many items it processed."""
        answer = await self.post(f"/v1/ops/jobs/{name}", by="ops")
        return int(answer["done"])


def unique(prefix: str) -> str:
    """Return a string with this prefix that no other test uses."""
    return f"{prefix}{secrets.token_hex(5).upper()}"
