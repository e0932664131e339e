"""A double of circulation, events and accounts over real HTTP."""

import contextlib
import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response

from tests.support import loopback_server


@dataclass
class Lending:
    """The answers of the double: 404 for unknown things, and 503 for all while `away`."""

    url: str = ""
    statements: dict[str, dict[str, Any]] = field(default_factory=dict)
    loans: dict[str, dict[str, Any]] = field(default_factory=dict)
    charges: dict[str, dict[str, Any]] = field(default_factory=dict)
    borrowers: dict[str, list[str]] = field(default_factory=dict)
    """Sorted ids of patrons with loans in the scope of a suspension."""
    borrowed_from: dict[str, list[str]] = field(default_factory=dict)
    """For each suspension: branches in its scope from which each of those patrons has loans."""
    registered: dict[str, list[str]] = field(default_factory=dict)
    """Patron ids for each activity, in order of registration."""
    holds: dict[str, dict[str, Any]] = field(default_factory=dict)
    addresses: dict[str, str | None] = field(default_factory=dict)
    """E-mail addresses of the patrons whom accounts knows; None if e-mail is not chosen."""
    homes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Postal addresses with names, as accounts gives them, by patron."""
    codes: dict[str, str] = field(default_factory=dict)
    """Codes to choose a new PIN that can still be used, by the id of the request."""
    staff_codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    applicants: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Address and code by the id of an application for a card."""
    expiries: dict[str, str] = field(default_factory=dict)
    """Last days of cards by patron."""
    """Addresses and codes of staff that can still be used, by the id of the code."""
    alerts: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Addresses that accounts keeps for alerts, with the code of one to be confirmed, by alert."""
    inside: list[dict[str, Any]] = field(default_factory=list)
    """Activities during the closures."""
    closed: list[dict[str, Any]] = field(default_factory=list)
    """The closures in the last query to events."""
    in_rooms: dict[str, Any] = field(default_factory=dict)
    """Effect of a change on sessions in study rooms."""
    planned: list[dict[str, Any]] = field(default_factory=list)
    """The branches in the last query to events about study rooms."""
    booked: set[str] = field(default_factory=set)
    """Ids of bookings that count."""
    events_away: bool = False
    away: bool = False
    away_after_pages: int | None = None
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def app(self) -> FastAPI:
        """Return the double as an application."""
        app = FastAPI()

        @app.post("/v1/service-sessions")
        async def log_in() -> dict[str, Any]:
            return {"access_token": "t", "expires_in": 3600}

        @app.get("/v1/loans/{loan_id}/fine-statement")
        async def statement(loan_id: str, request: Request) -> Any:
            return self._answer(request, self.statements.get(loan_id))

        @app.get("/v1/loans/{loan_id}")
        async def loan(loan_id: str, request: Request) -> Any:
            return self._answer(request, self.loans.get(loan_id))

        @app.get("/v1/holds/{hold_id}")
        async def hold(hold_id: str, request: Request) -> Any:
            return self._answer(request, self.holds.get(hold_id))

        @app.get("/v1/email-addresses/{patron_id}")
        async def email(
            patron_id: str,
            request: Request,
            pin_reset: str | None = None,
            alert: str | None = None,
        ) -> Any:
            if patron_id not in self.addresses:
                return self._answer(request, None)
            if alert is not None:
                kept, code = self.alerts.get(alert, (None, None))
                found = {"address": kept, "unsubscribe": f"{patron_id}.ok", "code": code}
                return self._answer(request, found)
            code = self.codes.get(pin_reset) if pin_reset else None
            address = None if pin_reset and code is None else self.addresses[patron_id]
            found = {"address": address, "unsubscribe": f"{patron_id}.ok", "code": code}
            return self._answer(request, found)

        @app.post("/v1/postal-addresses")
        async def homes(body: dict[str, Any], request: Request) -> Any:
            known = [one for one in body["patron_ids"] if one in self.homes]
            items = [{"patron_id": one, "by_email": False, **self.homes[one]} for one in known]
            return self._answer(request, {"items": items})

        @app.get("/v1/staff-codes/{reset_id}")
        async def staff_code(reset_id: str, request: Request) -> Any:
            address, code = self.staff_codes.get(reset_id, (None, None))
            return self._answer(request, {"address": address, "code": code})

        @app.get("/v1/applicant-codes/{application_id}")
        async def applicant_code(application_id: str, request: Request) -> Any:
            address, code = self.applicants.get(application_id, (None, None))
            found = {"address": address, "code": code, "language": "zh-Hant"}
            return self._answer(request, found)

        @app.get("/v1/patrons/{patron_id}")
        async def patron(patron_id: str, request: Request) -> Any:
            found = {"id": patron_id, "card_expires_on": self.expiries.get(patron_id)}
            return self._answer(request, found)

        @app.get("/v1/charges/{charge_id}")
        async def charge(charge_id: str, request: Request) -> Any:
            return self._answer(request, self.charges.get(charge_id))

        @app.get("/v1/fine-suspensions/{suspension_id}/patrons")
        async def patrons(suspension_id: str, request: Request, limit: int, after: str = "") -> Any:
            found = self.borrowers.get(suspension_id)
            if found is None:
                return self._answer(request, None)
            if self.away_after_pages is not None:
                self.away = self.away_after_pages <= 0
                self.away_after_pages -= 1
            rest = [patron for patron in found if patron > after]
            page = rest[:limit]
            more = page[-1] if len(rest) > limit else None
            branches = self.borrowed_from.get(suspension_id, ["HKCL"])
            items = [{"patron_id": patron, "branches": branches} for patron in page]
            return self._answer(request, {"items": items, "next": more})

        @app.get("/v1/activities/{activity_id}/registrations")
        async def registrations(
            activity_id: str, request: Request, limit: int, after: int = 0
        ) -> Any:
            found = self.registered.get(activity_id, [])
            items = [{"patron_id": patron, "turn": turn} for turn, patron in enumerate(found, 1)]
            page = items[after : after + limit]
            more = str(page[-1]["turn"]) if len(items) > after + limit else None
            return self._answer(request, {"items": page, "next": more})

        @app.post("/v1/effects")
        async def effects() -> dict[str, Any]:
            return {"as_of": "2020-12-09"}

        @app.post("/v1/effects/activities")
        async def activities(body: dict[str, Any]) -> Any:
            self.closed = body["closed"]
            if self.events_away:
                return Response(status_code=503)
            return {"items": self.inside, "total": len(self.inside)}

        @app.post("/v1/effects/study-rooms")
        async def study_rooms(body: dict[str, Any]) -> Any:
            self.planned = body["branches"]
            return Response(status_code=503) if self.events_away else self.in_rooms

        @app.get("/v1/booking-states/{booking_id}")
        async def booking(booking_id: str, request: Request) -> Any:
            return self._answer(request, {"is_booked": booking_id in self.booked})

        return app

    def _answer(self, request: Request, found: dict[str, Any] | None) -> Any:
        self.asked.append((request.url.path, dict(request.query_params)))
        if self.away:
            return Response(status_code=503)
        return Response(status_code=404) if found is None else found

    def owes(self, loan_id: str, cents: int, *, suspended: bool = False, **more: Any) -> None:
        """Set the fine statement of an overdue loan."""
        self.statements[loan_id] = {
            "loan_id": loan_id,
            "due_on": "2020-12-04",
            "as_of": "2020-12-09",
            "charged_days": cents // 150,
            "amount_cents": cents,
            "currency": "HKD",
            "spans": [],
            "suspended": suspended,
            "resumes_on": None,
            "overdue": True,
            **more,
        }


_double = Lending()
_app = functools.cache(_double.app)


@contextlib.asynccontextmanager
async def lending_served() -> AsyncIterator[Lending]:
    """Serve the double, as new, on a loopback port until the block ends."""
    vars(_double).update(vars(Lending()))
    async with loopback_server(_app()) as url:
        _double.url = url
        yield _double
