"""Snapshots of events' current state, in the form of its events, to build or check views."""

from collections.abc import Mapping

from services.events.activities import store as activities_store
from services.events.activities.events import activity_fields, registration_fields
from services.events.bookings import store as bookings_store
from services.events.bookings.events import booking_fields
from services.events.seasons.events import admission_fields, seat_fields
from services.events.seasons.store import seasons as seasons_store
from services.events.seasons.store import seats as seats_store
from shared.contracts.events import (
    ActivitySnapshot,
    AdmissionSnapshot,
    BookingSnapshot,
    RegistrationSnapshot,
    SeatSnapshot,
)
from shared.http.service import Snapshot, SnapshotPage
from shared.mongo import Database, SnapshotQuery


async def activities(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of all activities."""
    found, more = await activities_store.find_programme(db, query)
    return [ActivitySnapshot(**activity_fields(activity)) for activity in found], more


async def registrations(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of the registrations that have not ended."""
    found, more = await activities_store.find_registrations(db, query)
    return [RegistrationSnapshot(**registration_fields(one)) for one in found], more


async def admissions(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of the applications for study rooms that have not ended."""
    found, more = await seasons_store.find_applications(db, query)
    seasons = await seasons_store.find_by_id(db, {one.season_id for one in found})
    return [
        AdmissionSnapshot(**admission_fields(seasons[one.season_id], one)) for one in found
    ], more


async def seats(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of the places that are held for patrons on a standby list."""
    found, more = await seats_store.find_held(db, query)
    seasons = await seasons_store.find_by_id(db, {one.season_id for one in found})
    sittings = await seats_store.find_sittings(db, {one.sitting_id for one in found})
    return [
        SeatSnapshot(**seat_fields(seasons[one.season_id], sittings[one.sitting_id], one))
        for one in found
    ], more


async def bookings(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a page of the bookings in study rooms whose patrons have not come yet."""
    found, more = await bookings_store.find_page(db, query)
    return [BookingSnapshot(**booking_fields(one)) for one in found], more


OF_PATRONS: Mapping[str, Snapshot] = {
    "registrations": registrations,
    "admissions": admissions,
    "seats": seats,
    "bookings": bookings,
}
OF_ALL: Mapping[str, Snapshot] = {"activities": activities}
