"""Apply for a season, and withdraw an application."""

import secrets
from dataclasses import replace
from datetime import date

from services.events.patrons import store as patrons_store
from services.events.refusals import NoSuchPatron
from services.events.seasons import refusals
from services.events.seasons.commands.seasons import give_free_places
from services.events.seasons.commands.seats import end_seats
from services.events.seasons.events import record_applied, record_withdrawn
from services.events.seasons.rules import season as season_rules
from services.events.seasons.rules.season import Application, Ending, Season, check_application
from services.events.seasons.store import seasons as seasons_store
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work

CODE_BYTES = 8
"""Length of the code of an admission card: it cannot be guessed, and can be typed."""


def apply_for_season(
    work: Work,
    *,
    season_id: str,
    patron_id: str,
    category: str,
    branch: str,
    today: date,
    paper_number: str | None = None,
    received_on: date | None = None,
) -> Application:
    """Record the application and return it.

    Raises NoSuchSeason, NoSuchRoom, ApplicationsNotOpen, ApplicationsClosed, ReceivedInFuture,
    AppliedAlready, PaperNumberTaken or NoSuchPatron.
    """
    season = or_refuse(seasons_store.get(work, season_id), refusals.NoSuchSeason)
    check_application(season, branch, today=today, received_on=received_on)
    if seasons_store.application_of(work, season.id, patron_id):
        raise refusals.AppliedAlready
    paper = paper_number
    if paper is not None and seasons_store.is_paper_taken(work, season.id, paper):
        raise refusals.PaperNumberTaken
    # Written first, because concurrent applications conflict in this document.
    seasons_store.count(work, season.id, 1)
    if not patrons_store.hold_patron(work, patron_id):
        raise NoSuchPatron
    application = Application(
        id=new_id(),
        season_id=season.id,
        patron_id=patron_id,
        branch=branch,
        category=category,
        applied_at=work.now,
        code=secrets.token_hex(CODE_BYTES).upper(),
        paper_number=paper,
        received_on=received_on,
    )
    seasons_store.add_application(work, application)
    record_applied(work, season, application)
    return application


def withdraw_application(work: Work, season_id: str, patron_id: str, today: date) -> Application:
    """Withdraw the application and return its last state.

    The card of a patron who withdraws after the draw goes to the first on the standby list. Raises
    NoSuchSeason, NotApplied or SeasonOver.
    """
    season = _season(work, season_id)
    application = or_refuse(
        seasons_store.application_of(work, season.id, patron_id), refusals.NotApplied
    )
    season_rules.check_withdrawal(season, today)
    return _end(work, season, application, "patron", today)


def purge_application(work: Work, application_id: str, today: date, by: Ending = "erased") -> bool:
    """End and delete the application; return False if it had ended. Raises NoSuchSeason."""
    application = seasons_store.application(work, application_id)
    if application is None:
        return False
    season = _season(work, application.season_id)
    _end(work, season, application, by, today)
    return True


def _season(work: Work, season_id: str) -> Season:
    return or_refuse(seasons_store.get(work, season_id), refusals.NoSuchSeason)


def _end(
    work: Work, season: Season, application: Application, by: Ending, today: date
) -> Application:
    """End an application. Its id stays in the closed list, so that the draw can be recomputed.

    Writes the patron's document, so that no place can be held for the application meanwhile.
    """
    ended = season_rules.withdraw(application)
    patrons_store.hold_patron(work, application.patron_id)
    seasons_store.delete_application(work, application)
    end_seats(work, season, application.id)
    record_withdrawn(work, season, ended, by)
    counted = replace(season, applications=season.applications - 1)
    give_free_places(work, counted, application.branch, today)
    return ended
