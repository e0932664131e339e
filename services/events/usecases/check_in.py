"""Let a patron in to a study room, by the code of the admission card."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from services.events import store
from services.events.domain import seat as rules
from services.events.domain.refusals import NoSessionNow, NoSuchAdmission, NoSuchSeason
from services.events.domain.seat import Seat, Sitting
from services.events.usecases.pass_on_places import has_sessions, opened
from services.events.usecases.seat_events import record_seat
from shared.contracts.events import AdmissionCheckedIn
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class CheckIn:
    """The season, the code of a card, and the library's time zone."""

    season_id: str
    code: str
    zone: ZoneInfo


@dataclass(frozen=True)
class Seated:
    """A seat that its patron has taken, and its sitting."""

    sitting: Sitting
    seat: Seat


def check_in(work: Work, command: CheckIn) -> Seated:
    """Take the place of a card in the present session, or a free one; return it.

    Raises NoSuchSeason, NoSuchAdmission, NoSessionNow, NoPlaceInSession, CheckedInAlready or
    PlaceLapsed.
    """
    season = store.seasons.get(work, command.season_id)
    if season is None:
        raise NoSuchSeason
    card = store.seasons.application_with_code(work, season.id, command.code)
    if card is None or card.state not in ("granted", "standby"):
        raise NoSuchAdmission
    now = rules.sitting_now(season, card.branch, work.now, command.zone)
    if not has_sessions(work, now):
        raise NoSessionNow
    sitting = opened(work, season, now)
    found = store.seats.seat(work, sitting.id, card.id)
    if found is None:
        held = rules.seat(season, sitting, card, work.now, seat_id=new_id())
        taken, left = rules.take_free(held, sitting)
        store.seats.add(work, taken)
    else:
        taken, left = rules.check_in(found, sitting, work.now)
        store.seats.save(work, taken)
    if left != sitting:
        store.seats.save_sitting(work, left)
    record_seat(work, AdmissionCheckedIn, season, sitting, taken)
    return Seated(sitting, taken)
