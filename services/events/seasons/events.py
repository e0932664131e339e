"""Events of applications and of places held for the standby list."""

from typing import Any

from services.events.seasons.rules.ballot import Outcome
from services.events.seasons.rules.season import Application, Ending, Season
from services.events.seasons.rules.seat import Seat, Sitting
from shared.contracts.events import (
    AdmissionApplied,
    AdmissionDrawn,
    AdmissionGranted,
    AdmissionLapsed,
    AdmissionStandby,
    AdmissionWithdrawn,
    SeatSnapshot,
)
from shared.unit_of_work import Work


def record_applied(work: Work, season: Season, application: Application) -> None:
    """Record the event of a new application."""
    work.record(AdmissionApplied(**admission_fields(season, application)))


def record_result(work: Work, season: Season, application: Application) -> None:
    """Record the result of the draw for an application."""
    if application.state == "granted":
        work.record(AdmissionGranted(**admission_fields(season, application), waited=False))
    else:
        work.record(AdmissionStandby(**admission_fields(season, application)))


def record_card_given(work: Work, season: Season, application: Application) -> None:
    """Record that an application on the standby list got an admission card."""
    work.record(AdmissionGranted(**admission_fields(season, application), waited=True))


def record_withdrawn(work: Work, season: Season, application: Application, by: Ending) -> None:
    """Record the end of an application."""
    work.record(AdmissionWithdrawn(**admission_fields(season, application), by=by))


def record_drawn(work: Work, season: Season, outcomes: dict[str, Outcome]) -> None:
    """Record the draw of a season, with what anyone needs to recompute it."""
    work.record(
        AdmissionDrawn(
            version=season.version,
            season_id=season.id,
            season=season.name,
            commitment=season.commitment,
            list_hash=season.list_hash or "",
            seed=season.seed or "",
            granted=sum(len(one.granted) for one in outcomes.values()),
            standby=sum(len(one.standby) for one in outcomes.values()),
        )
    )


def admission_fields(season: Season, application: Application) -> dict[str, Any]:
    """Return the fields that every event about an application has."""
    return {
        "version": application.version,
        "application_id": application.id,
        "season_id": season.id,
        "season": season.name,
        "patron_id": application.patron_id,
        "branch": application.branch,
        "state": application.state,
        "standby_number": application.standby_number,
        "applied_at": application.applied_at,
        "by_post": application.paper_number is not None,
        "valid_from": season.valid_from,
        "valid_until": season.valid_until,
    }


def record_seat(
    work: Work, kind: type[SeatSnapshot], season: Season, sitting: Sitting, seat: Seat
) -> None:
    """Record an event of `kind` with the seat's current state."""
    work.record(kind(**seat_fields(season, sitting, seat)))


def record_closed(work: Work, season: Season, sitting: Sitting, seat: Seat) -> None:
    """Record that a place has ended because the library is closed on its day."""
    work.record(AdmissionLapsed(**seat_fields(season, sitting, seat), closed=True))


def seat_fields(season: Season, sitting: Sitting, seat: Seat) -> dict[str, Any]:
    """Return the fields that every event about a seat has."""
    return {
        "version": seat.version,
        "seat_id": seat.id,
        "application_id": seat.application_id,
        "season_id": season.id,
        "season": season.name,
        "patron_id": seat.patron_id,
        "branch": sitting.branch,
        "starts_at": sitting.starts_at,
        "ends_at": sitting.ends_at,
        "until": seat.until,
        "state": seat.state,
        "promoted": seat.promoted,
    }
