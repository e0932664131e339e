"""Single sessions of study rooms: the rooms, bookings of patrons, and the door."""

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from services.events.bookings import queries, refusals, store
from services.events.bookings.commands import (
    book_session,
    cancel_booking,
    check_in_booking,
    set_study_room,
)
from services.events.bookings.queries import FreeSession
from services.events.bookings.rules import Booking, State, StudyRoom
from services.events.fields import BookingId, BranchCode, BranchId, PatronId, today_of
from services.events.patrons.queries import ask_for_patron
from services.events.refusals import NoSuchBranch, NoSuchPatron
from services.events.seasons.refusals import CheckedInAlready, NoSessionNow, PlaceLapsed
from services.events.seasons.routes.applications import CheckInBody
from services.events.seasons.routes.seasons import SessionBody, SessionOut
from services.events.seasons.rules.season import Session
from shared.audit_trail import shows_patrons
from shared.auth import Desk, OtherService, Patron, Staff
from shared.http.bodies import Body, Day, from_attributes
from shared.http.dependencies import BusinessTime, Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["study rooms"])

MOST_ROOMS = 200
MOST_BOOKINGS = 1000


class StudyRoomBody(Body):
    """The rules by which single sessions of a study room are booked."""

    places: int = Field(ge=0, le=1000, description="Places in a session; 0: nobody can book.")
    sessions: tuple[SessionBody, ...] = Field(
        min_length=1, max_length=10, description="Sessions of each day, in order."
    )
    days_ahead: int = Field(
        ge=0, le=90, description="Number of days after today that can be booked."
    )
    most_bookings: int = Field(
        ge=1, le=20, description="Bookings that a patron may have in this room at a time."
    )
    grace_minutes: int = Field(
        default=15, ge=5, le=120, description="Minutes for which a place is held."
    )


class StudyRoomOut(BaseModel):
    """A study room of which single sessions are booked."""

    branch: str
    places: int
    sessions: list[SessionOut]
    days_ahead: int
    most_bookings: int
    grace_minutes: int

    @classmethod
    def of(cls, room: StudyRoom) -> "StudyRoomOut":
        """Build the response from a room."""
        return from_attributes(
            cls,
            room,
            branch=room.id,
            sessions=[SessionOut(opens=one.opens, closes=one.closes) for one in room.sessions],
        )


class StudyRoomList(BaseModel):
    """The study rooms of which single sessions are booked, in order of branch."""

    items: list[StudyRoomOut]


class FreeSessionOut(BaseModel):
    """One session of a day."""

    session: int = Field(description="Ordinal on its day, from 1.")
    starts_at: datetime
    ends_at: datetime
    places_left: int

    @classmethod
    def of(cls, found: FreeSession) -> "FreeSessionOut":
        """Build the response from a session."""
        return cls(
            session=found.session,
            starts_at=found.slot.starts_at,
            ends_at=found.slot.ends_at,
            places_left=found.left,
        )


class StudyDayOut(StudyRoomOut):
    """A study room with its sessions of one day."""

    on: date
    last_day: date = Field(description="Last day that can be booked now.")
    in_season: bool = Field(
        description="True if the places of that day are those of a season, so that none can be "
        "booked."
    )
    closed: bool = Field(default=False, description="True if the library is closed on that day.")
    free: list[FreeSessionOut] = Field(description="Sessions of the day that are not over.")


class BookingBody(Body):
    """A session to book."""

    day: date
    session: int = Field(ge=1, le=10, description="Ordinal of the session on its day, from 1.")


class BookedSessionOut(BaseModel):
    """A patron's booking of one session."""

    id: str
    branch: str
    starts_at: datetime
    ends_at: datetime
    until: datetime = Field(description="Time until which the place is held.")
    state: State
    version: int


class OwnBookingOut(BookedSessionOut):
    """A booking as its patron sees it."""

    code: str = Field(description="Secret code, for the door.", repr=False)

    @classmethod
    def own(cls, booking: Booking) -> "OwnBookingOut":
        """Build the response from a booking."""
        return cls(**from_attributes(BookedSessionOut, booking).model_dump(), code=booking.code)


class PatronBookingOut(BookedSessionOut):
    """A booking as librarians see it, without its code."""

    patron_id: str


class BookingsOfDay(BaseModel):
    """The bookings of a study room for the sessions of today that are not over."""

    items: list[PatronBookingOut]
    more: bool = Field(description="True if there are more than the limit.")


class OwnBookings(BaseModel):
    """A patron's bookings, the earliest session first."""

    items: list[OwnBookingOut]


@router.get("/study-rooms")
async def get_study_rooms(db: Db) -> StudyRoomList:
    """List the study rooms of which single sessions are booked; at most 200."""
    found = await store.find_rooms(db, MOST_ROOMS)
    return StudyRoomList(items=[StudyRoomOut.of(one) for one in found])


@router.get("/study-rooms/{branch}")
@refuses(refusals.NoSuchStudyRoom)
async def get_study_room(
    branch: BranchId, request: Request, db: Db, now: BusinessTime, on: Day | None = None
) -> StudyDayOut:
    """Get a study room with the free places of a day (default: today)."""
    today = today_of(request, now)
    found = await queries.study_day(db, branch, on or today, now, request.app.state.settings.zone)
    return StudyDayOut(
        **StudyRoomOut.of(found.room).model_dump(),
        on=on or today,
        last_day=today + timedelta(days=found.room.days_ahead),
        in_season=found.in_season,
        closed=found.closed,
        free=[FreeSessionOut.of(one) for one in found.sessions],
    )


@router.put("/study-rooms/{branch}")
@refuses(refusals.BadRoom, NoSuchBranch)
async def put_study_room(
    branch: BranchCode, body: StudyRoomBody, caller: Staff, run: Run
) -> StudyRoomOut:
    """Set the rules by which sessions are booked. Bookings that were made stay."""
    wanted = StudyRoom(
        id=branch,
        places=body.places,
        sessions=[Session(one.opens, one.closes) for one in body.sessions],
        days_ahead=body.days_ahead,
        most_bookings=body.most_bookings,
        grace_minutes=body.grace_minutes,
    )
    return StudyRoomOut.of(await run(set_study_room, wanted))


_REFUSALS = (
    refusals.NoSuchStudyRoom,
    refusals.NoSuchSession,
    refusals.TooFarAhead,
    refusals.SessionOver,
    refusals.LibraryClosed,
    refusals.RoomInSeason,
    NoSuchPatron,
    refusals.BookedAlready,
    refusals.TooManyBookings,
    refusals.SessionFull,
)


@router.post("/study-rooms/{branch}/bookings", status_code=201)
@refuses(*_REFUSALS)
async def post_booking(
    branch: BranchId, body: BookingBody, caller: Patron, run: Run
) -> OwnBookingOut:
    """Book a place in one session, first come, first served."""
    return await _book(run, caller.id, branch, body)


async def _book(run: Run, patron_id: str, branch: str, body: BookingBody) -> OwnBookingOut:
    return OwnBookingOut.own(
        await run(
            book_session,
            patron_id=patron_id,
            branch=branch,
            day=body.day,
            session=body.session,
            zone=run.settings.zone,
        )
    )


@router.get("/study-rooms/{branch}/bookings")
@shows_patrons
async def get_bookings(
    branch: BranchId,
    request: Request,
    caller: Staff,
    db: Db,
    now: BusinessTime,
    *,
    limit: Annotated[int, Query(ge=1, le=MOST_BOOKINGS, description="Maximum number of items.")] = (
        50
    ),
) -> BookingsOfDay:
    """List who has booked the sessions of today that are not over, the earliest session first."""
    zone = request.app.state.settings.zone
    found = await queries.bookings_of_day(db, branch, now, zone, limit + 1)
    items = [from_attributes(PatronBookingOut, one) for one in found[:limit]]
    return BookingsOfDay(items=items, more=len(found) > limit)


@router.post("/study-rooms/{branch}/check-ins", status_code=201)
@refuses(refusals.NoSuchBooking, NoSessionNow, CheckedInAlready, PlaceLapsed)
async def post_booking_check_in(
    branch: BranchId, body: CheckInBody, request: Request, caller: Desk, run: Run
) -> BookedSessionOut:
    """Let a patron in by the code of a booking, from 15 minutes before the session on."""
    return from_attributes(
        BookedSessionOut,
        await run(check_in_booking, branch, body.code, request.app.state.settings.zone),
    )


@router.get("/me/bookings")
async def get_my_bookings(caller: Patron, db: Db, now: BusinessTime) -> OwnBookings:
    """List the patron's bookings of sessions that are not over."""
    found = await queries.bookings_to_come(db, caller.id, now)
    return OwnBookings(items=[OwnBookingOut.own(one) for one in found])


@router.get("/me/bookings/{booking_id}")
@refuses(refusals.NoSuchBooking)
async def get_my_booking(booking_id: BookingId, caller: Patron, db: Db) -> OwnBookingOut:
    """Get one of the patron's own bookings, with the code for the door."""
    return OwnBookingOut.own(await queries.own_booking(db, booking_id, caller.id))


@router.delete("/me/bookings/{booking_id}")
@refuses(refusals.NoSuchBooking, CheckedInAlready, PlaceLapsed)
async def delete_my_booking(booking_id: BookingId, caller: Patron, run: Run) -> BookedSessionOut:
    """Cancel a booking, as long as its place is held; the place is free for others."""
    return from_attributes(BookedSessionOut, await run(cancel_booking, caller.id, booking_id))


class PatronBookings(BaseModel):
    """A patron's bookings as librarians see them, the earliest session first."""

    items: list[PatronBookingOut]


@router.get("/patrons/{patron_id}/bookings")
@shows_patrons
async def get_bookings_of(
    patron_id: PatronId, _caller: Staff, db: Db, now: BusinessTime
) -> PatronBookings:
    """List a patron's bookings of sessions that are not over, for staff."""
    found = await queries.bookings_to_come(db, patron_id, now)
    return PatronBookings(items=[from_attributes(PatronBookingOut, one) for one in found])


class PatronBookingBody(BookingBody):
    """A session to book for a patron."""

    branch: BranchCode


@router.post("/patrons/{patron_id}/bookings", status_code=201)
@refuses(*_REFUSALS)
async def post_booking_of(
    patron_id: PatronId, body: PatronBookingBody, caller: Staff, run: Run
) -> OwnBookingOut:
    """Book a place in one session for a patron as staff, as the patron could.

    The response has the code for the door, which staff give to the patron.
    """
    await ask_for_patron(run, patron_id)
    return await _book(run, patron_id, body.branch, body)


@router.delete("/patrons/{patron_id}/bookings/{booking_id}")
@refuses(refusals.NoSuchBooking, CheckedInAlready, PlaceLapsed)
async def delete_booking_of(
    patron_id: PatronId, booking_id: BookingId, caller: Staff, run: Run
) -> BookedSessionOut:
    """Cancel a patron's booking as staff, as the patron could."""
    return from_attributes(BookedSessionOut, await run(cancel_booking, patron_id, booking_id))


class BookingStateOut(BaseModel):
    """The present state of a booking."""

    is_booked: bool = Field(description="True if its place is held for the patron.")


@router.get("/booking-states/{booking_id}")
async def get_booking_state(
    booking_id: BookingId, _caller: OtherService, db: Db
) -> BookingStateOut:
    """Return whether a booking counts, so that no message says what is no longer true.

    The notices service calls it. The gateway does not forward it.
    """
    found = await store.find_one(db, booking_id)
    return BookingStateOut(is_booked=found is not None and found.state == "booked")
