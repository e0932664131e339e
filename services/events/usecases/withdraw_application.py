"""Withdraw an application for a study room, or delete that of an erased patron or old season."""

from dataclasses import dataclass, replace
from datetime import date

from services.events import store
from services.events.domain import season as rules
from services.events.domain.refusals import NoSuchSeason, NotApplied
from services.events.domain.season import Application, Ending, Season
from services.events.usecases.admission_events import record_withdrawn
from services.events.usecases.pass_on_places import end_seats
from services.events.usecases.settle_draw import give_free_places
from shared.unit_of_work import Work


@dataclass(frozen=True)
class WithdrawApplication:
    """A patron, the season to withdraw from, and the day."""

    season_id: str
    patron_id: str
    today: date


@dataclass(frozen=True)
class PurgeApplication:
    """The application to delete, the day, and the cause."""

    application_id: str
    today: date
    by: Ending = "erased"


def withdraw_application(work: Work, command: WithdrawApplication) -> Application:
    """Withdraw the application and return its last state.

    The card of a patron who withdraws after the draw goes to the first on the standby list. Raises
    NoSuchSeason, NotApplied or SeasonOver.
    """
    season = _season(work, command.season_id)
    application = store.seasons.application_of(work, season.id, command.patron_id)
    if application is None:
        raise NotApplied
    rules.check_withdrawal(season, command.today)
    return _end(work, season, application, "patron", command.today)


def purge_application(work: Work, command: PurgeApplication) -> bool:
    """End and delete the application; return False if it had ended. Raises NoSuchSeason."""
    application = store.seasons.application(work, command.application_id)
    if application is None:
        return False
    season = _season(work, application.season_id)
    _end(work, season, application, command.by, command.today)
    return True


def _season(work: Work, season_id: str) -> Season:
    season = store.seasons.get(work, season_id)
    if season is None:
        raise NoSuchSeason
    return season


def _end(
    work: Work, season: Season, application: Application, by: Ending, today: date
) -> Application:
    """End an application. Its id stays in the closed list, so that the draw can be recomputed.

    Writes the patron's document, so that no place can be held for the application meanwhile.
    """
    ended = rules.withdraw(application)
    store.hold_patron(work, application.patron_id)
    store.seasons.delete_application(work, application)
    end_seats(work, season, application.id)
    record_withdrawn(work, season, ended, by)
    counted = replace(season, applications=season.applications - 1)
    give_free_places(work, counted, application.branch, today)
    return ended
