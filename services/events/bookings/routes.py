"""Single sessions of study rooms: the rooms, bookings of patrons, and the door."""

from datetime import date, datetime, timedelta

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.events.bookings import queries, store
from services.events.bookings.commands import (
    book_session,
    cancel_booking,
    check_in_booking,
    set_study_room,
)
from services.events.bookings.queries import FreeSession
from services.events.bookings.refusals import (
    BadRoom,
    BookedAlready,
    LibraryClosed,
    NoSuchBooking,
    NoSuchSession,
    NoSuchStudyRoom,
    RoomInSeason,
    SessionFull,
    SessionOver,
    TooFarAhead,
    TooManyBookings,
)
from services.events.bookings.rules import Booking, State, StudyRoom
from services.events.fields import BookingId, BranchCode, BranchId, today_of
from services.events.refusals import NoSuchBranch, NoSuchPatron
from services.events.seasons.refusals import CheckedInAlready, NoSessionNow, PlaceLapsed
from services.events.seasons.routes.applications import CheckInBody
from services.events.seasons.routes.seasons import SessionBody, SessionOut
from services.events.seasons.rules.season import Session
from shared.auth import Desk, OtherService, Patron, Staff
from shared.http.bodies import Body, Day
from shared.http.dependencies import BusinessTime, Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["study rooms"])

MOST_ROOMS = 200


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
        return cls(
            branch=room.id,
            places=room.places,
            sessions=[SessionOut(opens=one.opens, closes=one.closes) for one in room.sessions],
            days_ahead=room.days_ahead,
            most_bookings=room.most_bookings,
            grace_minutes=room.grace_minutes,
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

    @classmethod
    def of(cls, booking: Booking) -> "BookedSessionOut":
        """Build the response from a booking."""
        return cls(
            id=booking.id,
            branch=booking.branch,
            starts_at=booking.starts_at,
            ends_at=booking.ends_at,
            until=booking.until,
            state=booking.state,
            version=booking.version,
        )


class OwnBookingOut(BookedSessionOut):
    """A booking as its patron sees it."""

    code: str = Field(description="Secret code, for the door.", repr=False)

    @classmethod
    def own(cls, booking: Booking) -> "OwnBookingOut":
        """Build the response from a booking."""
        return cls(**BookedSessionOut.of(booking).model_dump(), code=booking.code)


class OwnBookings(BaseModel):
    """A patron's bookings, the earliest session first."""

    items: list[OwnBookingOut]


@router.get("/study-rooms")
async def get_study_rooms(db: Db) -> StudyRoomList:
    """List the study rooms of which single sessions are booked; at most 200."""
    found = await store.find_rooms(db, MOST_ROOMS)
    return StudyRoomList(items=[StudyRoomOut.of(one) for one in found])


@router.get("/study-rooms/{branch}")
@refuses(NoSuchStudyRoom)
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
@refuses(BadRoom, NoSuchBranch)
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


@router.post("/study-rooms/{branch}/bookings", status_code=201)
@refuses(
    NoSuchStudyRoom,
    NoSuchSession,
    TooFarAhead,
    SessionOver,
    LibraryClosed,
    RoomInSeason,
    NoSuchPatron,
    BookedAlready,
    TooManyBookings,
    SessionFull,
)
async def post_booking(
    branch: BranchId, body: BookingBody, request: Request, caller: Patron, run: Run
) -> OwnBookingOut:
    """Book a place in one session, first come, first served."""
    zone = request.app.state.settings.zone
    return OwnBookingOut.own(
        await run(
            book_session,
            patron_id=caller.id,
            branch=branch,
            day=body.day,
            session=body.session,
            zone=zone,
        )
    )


@router.post("/study-rooms/{branch}/check-ins", status_code=201)
@refuses(NoSuchBooking, NoSessionNow, CheckedInAlready, PlaceLapsed)
async def post_booking_check_in(
    branch: BranchId, body: CheckInBody, request: Request, caller: Desk, run: Run
) -> BookedSessionOut:
    """Let a patron in by the code of a booking, from 15 minutes before the session on."""
    return BookedSessionOut.of(
        await run(check_in_booking, branch, body.code, request.app.state.settings.zone)
    )


@router.get("/me/bookings")
async def get_my_bookings(caller: Patron, db: Db, now: BusinessTime) -> OwnBookings:
    """List the patron's bookings of sessions that are not over."""
    found = await queries.bookings_to_come(db, caller.id, now)
    return OwnBookings(items=[OwnBookingOut.own(one) for one in found])


@router.get("/me/bookings/{booking_id}")
@refuses(NoSuchBooking)
async def get_my_booking(booking_id: BookingId, caller: Patron, db: Db) -> OwnBookingOut:
    """Get one of the patron's own bookings, with the code for the door."""
    return OwnBookingOut.own(await queries.own_booking(db, booking_id, caller.id))


@router.delete("/me/bookings/{booking_id}")
@refuses(NoSuchBooking, CheckedInAlready, PlaceLapsed)
async def delete_my_booking(booking_id: BookingId, caller: Patron, run: Run) -> BookedSessionOut:
    """Cancel a booking, as long as its place is held; the place is free for others."""
    return BookedSessionOut.of(await run(cancel_booking, caller.id, booking_id))


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
