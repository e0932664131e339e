"""The link to a patron's calendar feed, and the patron whom a link stands for."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.accounts import queries
from services.accounts.domain.calendar import Calendar, calendar_secret
from services.accounts.domain.refusals import NoSuchCalendar, NoSuchPatron
from services.accounts.routes.fields import OwnSettings
from services.accounts.usecases.change_calendar import (
    EndCalendar,
    MakeCalendar,
    end_calendar,
    make_calendar,
)
from shared import auth
from shared.auth import OtherService
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["calendar"])


class CalendarIn(Body):
    """The contents of the feed."""

    with_titles: bool = Field(
        default=False,
        description="True: the feed shows the titles of items and activities.",
    )


class CalendarOut(BaseModel):
    """The link to the patron's calendar feed."""

    path: str | None = Field(
        description="Path of the feed, with its secret; null: there is no link."
    )
    with_titles: bool = Field(
        description="True: the feed shows the titles of items and activities."
    )
    made_at: datetime | None = Field(description="Time when the link was made; null: no link.")

    @classmethod
    def of(cls, calendar: Calendar | None, key: str) -> "CalendarOut":
        """Build the response from a link and the key of its secret."""
        if calendar is None:
            return cls(path=None, with_titles=False, made_at=None)
        secret = calendar_secret(calendar.link, key)
        return cls(
            path=f"/v1/calendars/{secret}.ics",
            with_titles=calendar.with_titles,
            made_at=calendar.made_at,
        )


class LookupIn(Body):
    """The secret in the address of a feed."""

    secret: str = Field(min_length=1, max_length=200)


class LookupOut(BaseModel):
    """The patron whose feed it is, and what it shows."""

    patron_id: str
    language: str
    with_titles: bool


@router.get("/me/calendar")
@refuses(NoSuchPatron)
async def get_calendar(caller: auth.Patron, db: Db, settings: OwnSettings) -> CalendarOut:
    """Get the link to the patron's own calendar feed."""
    _, holder = await queries.patron(db, caller.id)
    return CalendarOut.of(holder.calendar, settings.calendar_keys)


@router.post("/me/calendar", status_code=201)
@refuses(NoSuchPatron)
async def post_calendar(
    body: CalendarIn, caller: auth.Patron, run: Run, settings: OwnSettings
) -> CalendarOut:
    """Make a new link to the patron's own calendar feed; the link until now ends at once.

    Everybody who has the link can read the feed, without log-in.
    """
    made = await run(make_calendar, MakeCalendar(caller.id, body.with_titles))
    return CalendarOut.of(made, settings.calendar_keys)


@router.delete("/me/calendar", status_code=204)
@refuses(NoSuchPatron)
async def delete_calendar(caller: auth.Patron, run: Run) -> None:
    """End the link to the patron's own calendar feed at once. Repeating it changes nothing."""
    await run(end_calendar, EndCalendar(caller.id))


@router.post("/calendar-lookups")
@refuses(NoSuchCalendar)
async def post_lookup(
    body: LookupIn, _caller: OtherService, db: Db, settings: OwnSettings
) -> LookupOut:
    """Return the patron whose feed has this secret. The secret is in the body, not in a path."""
    setting, calendar = await queries.calendar(db, body.secret, settings.calendar_keys)
    return LookupOut(
        patron_id=setting.preferences.id,
        language=setting.language,
        with_titles=calendar.with_titles,
    )
