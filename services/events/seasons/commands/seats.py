"""Check patrons in to sessions, and pass on places of those who do not come."""

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from services.events.calendars import store as calendars_store
from services.events.patrons import store as patrons_store
from services.events.seasons.events import record_seat
from services.events.seasons.refusals import NoSessionNow, NoSuchAdmission, NoSuchSeason
from services.events.seasons.rules import seat as seat_rules
from services.events.seasons.rules.season import Application, Season
from services.events.seasons.rules.seat import Seat, Sitting
from services.events.seasons.store import seasons as seasons_store
from services.events.seasons.store import seats as seats_store
from shared.contracts.events import AdmissionCheckedIn, AdmissionLapsed, AdmissionPromoted
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def pass_on_place(work: Work, season_id: str, sitting: Sitting) -> bool:
    """Open the sitting if need be, and pass one place on; return False if none is due.

    None is due while the library is closed.

    One transaction ends one held place and gives it to one patron, so a lapse promotes exactly one
    however often the job runs.
    """
    season = seasons_store.get(work, season_id)
    if season is None or not has_sessions(work, sitting):
        return False
    open_sitting = opened(work, season, sitting)
    due = seats_store.first_due(work, open_sitting.id)
    if due is None:
        return False
    lapsed = seat_rules.lapse(due)
    seats_store.save(work, lapsed)
    record_seat(work, AdmissionLapsed, season, open_sitting, lapsed)
    promote_next(work, season, open_sitting)
    return True


def has_sessions(work: Work, sitting: Sitting) -> bool:
    """Return whether the library is open on the day of a sitting, and hold its calendar so."""
    calendar = calendars_store.hold(work, sitting.branch)
    return calendar is None or calendar.has_sessions(sitting.day)


def opened(work: Work, season: Season, sitting: Sitting) -> Sitting:
    """Return the sitting as stored; open it first with a place for each admission card."""
    stored = seats_store.sitting(work, sitting.id)
    if stored is not None:
        return stored
    cards = seasons_store.applications(work, season.id, "granted", branch=sitting.branch)
    # So that no application can end meanwhile: its place would be held for nobody.
    held = patrons_store.hold_patrons(work, {one.patron_id for one in cards})
    seats = [
        seat_rules.seat(season, sitting, one, sitting.starts_at, seat_id=new_id())
        for one in cards
        if one.patron_id in held
    ]
    begun = replace(sitting, free=season.room(sitting.branch).places - len(seats))
    seats_store.open_sitting(work, begun, seats)
    return begun


def promote_next(work: Work, season: Season, sitting: Sitting) -> None:
    """Hold a place for the next on the standby list; without one the place is free for anyone."""
    applicant = None
    if work.now < sitting.ends_at:
        applicant = _next(work, season, sitting)
    if applicant is None:
        seats_store.save_sitting(work, seat_rules.freed(sitting, 1))
        return
    seat = seat_rules.seat(season, sitting, applicant, work.now, seat_id=new_id())
    seats_store.save_sitting(work, seat_rules.freed(sitting, 0))
    seats_store.add(work, seat)
    record_seat(work, AdmissionPromoted, season, sitting, seat)


def _next(work: Work, season: Season, sitting: Sitting) -> Application | None:
    seated = seats_store.seats_in(work, sitting.id)
    standby = seasons_store.applications(
        work, season.id, "standby", branch=sitting.branch, limit=len(seated) + 1
    )
    while (found := seat_rules.next_in_line(standby, seated)) is not None:
        if patrons_store.hold_patron(work, found.patron_id):
            break
        standby.remove(found)
    return found


def end_seats(work: Work, season: Season, application_id: str) -> None:
    """Delete the seats of an application that ends, and pass held places on."""
    seats = seats_store.seats_of(work, application_id)
    for held in [one for one in seats if one.state == "held"]:
        sitting = seats_store.sitting(work, held.sitting_id)
        if sitting is None:
            raise LookupError(f"the seat {held.id} is in no sitting")
        record_seat(work, AdmissionLapsed, season, sitting, seat_rules.lapse(held))
        promote_next(work, season, sitting)
    seats_store.delete_of(work, application_id)


@dataclass(frozen=True)
class Seated:
    """A seat that its patron has taken, and its sitting."""

    sitting: Sitting
    seat: Seat


def check_in(work: Work, season_id: str, code: str, zone: ZoneInfo) -> Seated:
    """Take the place of a card in the present session, or a free one; return it.

    Raises NoSuchSeason, NoSuchAdmission, NoSessionNow, NoPlaceInSession, CheckedInAlready or
    PlaceLapsed.
    """
    season = or_refuse(seasons_store.get(work, season_id), NoSuchSeason)
    card = seasons_store.application_with_code(work, season.id, code)
    if card is None or card.state not in ("granted", "standby"):
        raise NoSuchAdmission
    now = seat_rules.sitting_now(season, card.branch, work.now, zone)
    if not has_sessions(work, now):
        raise NoSessionNow
    sitting = opened(work, season, now)
    found = seats_store.seat(work, sitting.id, card.id)
    if found is None:
        held = seat_rules.seat(season, sitting, card, work.now, seat_id=new_id())
        taken, left = seat_rules.take_free(held, sitting)
        seats_store.add(work, taken)
    else:
        taken, left = seat_rules.check_in(found, sitting, work.now)
        seats_store.save(work, taken)
    if left != sitting:
        seats_store.save_sitting(work, left)
    record_seat(work, AdmissionCheckedIn, season, sitting, taken)
    return Seated(sitting, taken)
