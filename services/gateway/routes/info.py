"""My Info, and everything that the library holds about a patron."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel, Field

from services.gateway.routes.account import LiveOut, PlaceWording
from services.gateway.views.overview import instant
from services.gateway.views.overviews import PRIVATE, in_time
from services.gateway.views.store import reads
from services.registry import OWNERS
from shared.auth import Patron
from shared.clock import library_day
from shared.http.dependencies import BusinessTime, Db
from shared.http.problems import NotFound
from shared.mongo import Document
from shared.owners import path_to
from shared.refusals import refuses

router = APIRouter()


ROWS = 50


class NewsWording(BaseModel):
    """The text of a notice in one language."""

    content: str


class ActivityRow(BaseModel):
    """An activity of a type that the patron follows."""

    title: str
    starts_at: datetime
    ends_at: datetime | None
    venue: str
    branch: str | None = Field(
        description="Code of the branch where it takes place; null: not at a branch."
    )
    type: str
    wordings: dict[str, PlaceWording] = Field(description="By language.")


class NewsRow(BaseModel):
    """A notice of a library that the patron follows, or of the whole library."""

    library: str
    branch: str | None = Field(description="Code of the library; null: all libraries.")
    date: date
    content: str
    wordings: dict[str, NewsWording] = Field(description="By language.")


class InfoSourcesOut(BaseModel):
    """The services that My Info is built from."""

    events: LiveOut
    notices: LiveOut


class InfoOut(BaseModel):
    """The two tables of My Info."""

    activities: list[ActivityRow]
    library_information: list[NewsRow]
    sources: InfoSourcesOut


@router.get("/v1/me/info", tags=["my account"], response_model=InfoOut)
async def get_info(request: Request, caller: Patron, now: BusinessTime, db: Db) -> Response:
    """Return activities and notices of the types and libraries that the patron follows (My Info).

    At most 50 rows each. Activities from today on, the earliest first; one of several days is
    listed until its last day. Notices newest first; a patron who follows a library also gets those
    of the whole library.
    """
    return await in_time(_info(request, caller.id, now, db))


async def _info(request: Request, patron_id: str, now: datetime, db: Db) -> Response:
    zone = request.app.state.settings.zone
    midnight = datetime.combine(library_day(now, zone), time(), zone)
    await request.app.state.own_writes.write_held_of(patron_id)
    view, _ = await reads.account_view(db, patron_id)
    preferences = (view or {}).get("preferences", {})
    types = preferences.get("activity_types", [])
    followed = preferences.get("followed_branches", [])
    activities = await reads.activities(db, types, midnight, ROWS) if types else []
    notices = await reads.notices(db, followed, ROWS) if followed else []
    names = await reads.branch_names(db, followed) if notices else {}
    live = request.app.state.liveness.report()
    sources = {service: {"live": live[service]} for service in ("events", "notices")}
    info = my_info(activities, notices, followed, names, ROWS)
    body = orjson.dumps({**info, "sources": sources})
    return Response(body, headers=PRIVATE, media_type="application/json")


class PersonalDataOut(BaseModel):
    """Everything that the library holds about a patron."""

    as_of: datetime
    services: dict[str, dict[str, list[dict[str, Any]]]] = Field(
        description="The stored documents, by service and kind."
    )


@router.get("/v1/me/data", tags=["my account"], response_model=PersonalDataOut)
@refuses(NotFound)
async def get_personal_data(request: Request, caller: Patron, now: BusinessTime) -> Response:
    """Return everything that the library holds about the patron, as one file.

    It has the documents as each service stores them, without the PIN, names of staff and their
    notes. Copies that are made of these documents, such as the overview, are left out. Fails if a
    service is away, so the file is always complete.
    """
    return await collect(request.app, caller.id, now)


ALL_LIBRARIES = "All libraries"


def my_info(
    activities: Sequence[Mapping[str, Any]],
    notices: Sequence[Mapping[str, Any]],
    followed: Sequence[str],
    names: Mapping[str, str],
    limit: int,
) -> Document:
    """Return the two tables of My Info.

    A notice of several followed branches has a row for each.
    """
    news = []
    for notice in notices:
        codes: list[str | None] = [code for code in followed if code in notice["branches"]]
        news += [
            {
                "library": names.get(code, code) if code else ALL_LIBRARIES,
                "branch": code,
                "date": notice["date"],
                "content": notice["content"],
                "wordings": notice.get("wordings", {}),
            }
            for code in codes or [None]
        ]
    return {
        "activities": [
            {
                "title": activity["title"],
                "starts_at": instant(activity["starts_at"]),
                "ends_at": _end(activity),
                "venue": activity["venue"],
                "branch": activity.get("branch"),
                "type": activity["type"],
                "wordings": activity.get("wordings", {}),
            }
            for activity in activities
        ],
        "library_information": news[:limit],
    }


def _end(activity: Mapping[str, Any]) -> str | None:
    """Return when an activity ends, None if no end is announced."""
    ends_at = activity["last_at"]
    return instant(ends_at) if ends_at > activity["starts_at"] else None


HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Disposition": 'attachment; filename="my-library-data.json"',
    "Vary": "Authorization",
}


async def collect(app: FastAPI, patron_id: str, now: datetime) -> Response:
    """Return a patron's data as a file to download. Raises NotFound, and OwnerAway.

    Nothing is left out while a service is away: the patron is told to try again instead.
    """
    path = path_to("v1", "personal-data", patron_id)
    held = await asyncio.gather(*(app.state.owners.get(owner, path, now=now) for owner in OWNERS))
    services = dict(zip(OWNERS, held, strict=True))
    if not services["accounts"]["cardholders"]:
        raise NotFound("patron")  # erased since the token was signed
    body = orjson.dumps({"as_of": now, "services": services}, option=orjson.OPT_INDENT_2)
    return Response(body, headers=HEADERS, media_type="application/json")
