"""The students' study rooms of 2021: applications from 10 February, cards 15 March to 20 May."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response

from tests.support import Answer, Api, token

STAFF = token("staff-1", ["staff"])
SEASON: dict[str, Any] = {
    "name": "Examinations of 2021",
    "rooms": [
        {"branch": "HKCL", "places": 4, "quotas": {"young-adult": 2}},
        {"branch": "STPL", "places": 2},
    ],
    "sessions": [
        {"opens": "09:00", "closes": "13:00"},
        {"opens": "13:30", "closes": "17:30"},
        {"opens": "18:00", "closes": "22:00"},
    ],
    "applications_from": "2021-02-10",
    "applications_until": "2021-02-24",
    "draw_on": "2021-03-05",
    "valid_from": "2021-03-15",
    "valid_until": "2021-05-20",
}
ANNOUNCED = "2021-02-01T10:00:00+08:00"
OPEN = "2021-02-12T10:00:00+08:00"
AFTER = "2021-02-25T10:00:00+08:00"
DRAW = "2021-03-05T10:00:00+08:00"
CARDS = "2021-03-20T10:00:00+08:00"
OVER = "2021-05-21T10:00:00+08:00"


@dataclass
class Members:
    """The double of accounts: every patron but "nobody" exists, with the card `C-` and the id."""

    url: str = ""
    categories: dict[str, str] = field(default_factory=dict)
    """Categories of patrons that are not adults."""
    born: dict[str, str | None] = field(default_factory=dict)
    """Dates of birth of the patrons whose date is known."""
    away: bool = False

    def app(self) -> FastAPI:
        """Return the double as an application."""
        app = FastAPI()

        @app.post("/v1/service-sessions")
        async def log_in() -> dict[str, Any]:
            return {"access_token": "t", "expires_in": 3600}

        @app.get("/v1/patrons")
        async def of_card(card: str) -> Any:
            known = card.startswith("C-")
            return {"items": [self._patron(card.removeprefix("C-"))] if known else []}

        @app.get("/v1/patrons/{patron_id}")
        async def patron(patron_id: str, request: Request) -> Any:
            if self.away or patron_id == "nobody":
                return Response(status_code=503 if self.away else 404)
            return self._patron(patron_id)

        return app

    def _patron(self, patron_id: str) -> dict[str, str | None]:
        return {
            "id": patron_id,
            "category": self.categories.get(patron_id, "adult"),
            "born_on": self.born.get(patron_id),
        }


async def announced(api: Api, **other: Any) -> dict[str, Any]:
    """Announce the season, with `other` fields changed; return the answer."""
    answer = await api.post("/v1/study-seasons", {**SEASON, **other}, as_=STAFF, at=ANNOUNCED)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def apply(
    api: Api, season: str, patron: str, branch: str = "HKCL", *, at: str = OPEN
) -> Answer:
    """Apply as a patron, as a client that retries."""
    path = f"/v1/study-seasons/{season}/application"
    return await api.insist("POST", path, {"branch": branch}, as_=token(patron), at=at)


async def withdraw(api: Api, season: str, patron: str, *, at: str = CARDS) -> Answer:
    """Withdraw as a patron, as a client that retries."""
    path = f"/v1/study-seasons/{season}/application"
    return await api.insist("DELETE", path, as_=token(patron), at=at)


async def own(api: Api, season: str, patron: str) -> dict[str, Any]:
    """Return a patron's own application."""
    answer = await api.get(f"/v1/study-seasons/{season}/application", as_=token(patron), at=CARDS)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def staff(api: Api, season: str, command: str, at: str, body: Any = None) -> Answer:
    """Send a command of staff."""
    return await api.insist("POST", f"/v1/study-seasons/{season}/{command}", body, as_=STAFF, at=at)


async def closed(api: Api, season: str) -> dict[str, Any]:
    """Close the list; return the ballot as published."""
    answer = await staff(api, season, "closing", AFTER)
    assert answer.status == 200, answer.body
    return await ballot(api, season)


async def drawn(api: Api, season: str) -> dict[str, Any]:
    """Close the list, draw, and finish; return the ballot as published."""
    await closed(api, season)
    answer = await staff(api, season, "draw", DRAW)
    assert answer.status == 200, answer.body
    await finished(api)
    return await ballot(api, season)


async def finished(api: Api) -> None:
    """Run the job that continues draws."""
    answer = await api.post("/v1/ops/jobs/events/draws", as_=STAFF, at=DRAW)
    assert answer.status == 200, answer.body


async def ballot(api: Api, season: str) -> dict[str, Any]:
    """Return the published ballot, as anyone gets it."""
    answer = await api.get(f"/v1/study-seasons/{season}/ballot")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found
