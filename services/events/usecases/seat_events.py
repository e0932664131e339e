"""The events of a seat in a study room, recorded by the use cases that change one."""

from typing import Any

from services.events.domain.season import Season
from services.events.domain.seat import Seat, Sitting
from shared.contracts.events import AdmissionLapsed, SeatSnapshot
from shared.unit_of_work import Work


def record_seat(
    work: Work, kind: type[SeatSnapshot], season: Season, sitting: Sitting, seat: Seat
) -> None:
    """Record an event of `kind` with the seat's current state."""
    work.record(kind(**snapshot(season, sitting, seat)))


def record_closed(work: Work, season: Season, sitting: Sitting, seat: Seat) -> None:
    """Record that a place has ended because the library is closed on its day."""
    work.record(AdmissionLapsed(**snapshot(season, sitting, seat), closed=True))


def snapshot(season: Season, sitting: Sitting, seat: Seat) -> dict[str, Any]:
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
