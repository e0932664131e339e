"""Pass places that nobody took on to the standby list."""

from dataclasses import dataclass, replace

from services.events import store
from services.events.domain import seat as rules
from services.events.domain.season import Application, Season
from services.events.domain.seat import Sitting
from services.events.usecases.seat_events import record_seat
from shared.contracts.events import AdmissionLapsed, AdmissionPromoted
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class PassOnPlace:
    """A season and a sitting, as it is before anyone came."""

    season_id: str
    sitting: Sitting


def pass_on_place(work: Work, command: PassOnPlace) -> bool:
    """Open the sitting if need be, and pass one place on; return False if none is due.

    None is due while the library is closed.

    One transaction ends one held place and gives it to one patron, so a lapse promotes exactly one
    however often the job runs.
    """
    season = store.seasons.get(work, command.season_id)
    if season is None or not has_sessions(work, command.sitting):
        return False
    sitting = opened(work, season, command.sitting)
    due = store.seats.first_due(work, sitting.id)
    if due is None:
        return False
    lapsed = rules.lapse(due)
    store.seats.save(work, lapsed)
    record_seat(work, AdmissionLapsed, season, sitting, lapsed)
    promote_next(work, season, sitting)
    return True


def has_sessions(work: Work, sitting: Sitting) -> bool:
    """Return whether the library is open on the day of a sitting, and hold its calendar so."""
    calendar = store.calendars.hold(work, sitting.branch)
    return calendar is None or calendar.has_sessions(sitting.day)


def opened(work: Work, season: Season, sitting: Sitting) -> Sitting:
    """Return the sitting as stored; open it first with a place for each admission card."""
    stored = store.seats.sitting(work, sitting.id)
    if stored is not None:
        return stored
    cards = store.seasons.applications(work, season.id, "granted", branch=sitting.branch)
    # So that no application can end meanwhile: its place would be held for nobody.
    held = store.hold_patrons(work, {one.patron_id for one in cards})
    seats = [
        rules.seat(season, sitting, one, sitting.starts_at, seat_id=new_id())
        for one in cards
        if one.patron_id in held
    ]
    begun = replace(sitting, free=season.room(sitting.branch).places - len(seats))
    store.seats.open_sitting(work, begun, seats)
    return begun


def promote_next(work: Work, season: Season, sitting: Sitting) -> None:
    """Hold a place for the next on the standby list; without one the place is free for anyone."""
    applicant = None
    if work.now < sitting.ends_at:
        applicant = _next(work, season, sitting)
    if applicant is None:
        store.seats.save_sitting(work, rules.freed(sitting, 1))
        return
    seat = rules.seat(season, sitting, applicant, work.now, seat_id=new_id())
    store.seats.save_sitting(work, rules.freed(sitting, 0))
    store.seats.add(work, seat)
    record_seat(work, AdmissionPromoted, season, sitting, seat)


def _next(work: Work, season: Season, sitting: Sitting) -> Application | None:
    seated = store.seats.seats_in(work, sitting.id)
    standby = store.seasons.applications(
        work, season.id, "standby", branch=sitting.branch, limit=len(seated) + 1
    )
    while (found := rules.next_in_line(standby, seated)) is not None:
        if store.hold_patron(work, found.patron_id):
            break
        standby.remove(found)
    return found


def end_seats(work: Work, season: Season, application_id: str) -> None:
    """Delete the seats of an application that ends, and pass held places on."""
    seats = store.seats.seats_of(work, application_id)
    for held in [one for one in seats if one.state == "held"]:
        sitting = store.seats.sitting(work, held.sitting_id)
        if sitting is None:
            raise LookupError(f"the seat {held.id} is in no sitting")
        record_seat(work, AdmissionLapsed, season, sitting, rules.lapse(held))
        promote_next(work, season, sitting)
    store.seats.delete_of(work, application_id)
