"""Apply for a study room in a season."""

import secrets
from dataclasses import dataclass
from datetime import date

from services.events import store
from services.events.domain.refusals import (
    AppliedAlready,
    NoSuchPatron,
    NoSuchSeason,
    PaperNumberTaken,
)
from services.events.domain.season import Application, check_application
from services.events.usecases.admission_events import record_applied
from shared.ids import new_id
from shared.unit_of_work import Work

CODE_BYTES = 8
"""Length of the code of an admission card: it cannot be guessed, and can be typed."""


@dataclass(frozen=True)
class ApplyForSeason:
    """A patron's application: online, or by post with a paper number and a day of receipt."""

    season_id: str
    patron_id: str
    category: str
    branch: str
    today: date
    paper_number: str | None = None
    received_on: date | None = None


def apply_for_season(work: Work, command: ApplyForSeason) -> Application:
    """Record the application and return it.

    Raises NoSuchSeason, NoSuchRoom, ApplicationsNotOpen, ApplicationsClosed, ReceivedInFuture,
    AppliedAlready, PaperNumberTaken or NoSuchPatron.
    """
    season = store.seasons.get(work, command.season_id)
    if season is None:
        raise NoSuchSeason
    check_application(season, command.branch, today=command.today, received_on=command.received_on)
    if store.seasons.application_of(work, season.id, command.patron_id):
        raise AppliedAlready
    paper = command.paper_number
    if paper is not None and store.seasons.is_paper_taken(work, season.id, paper):
        raise PaperNumberTaken
    # Written first, because concurrent applications conflict in this document.
    store.seasons.count(work, season.id, 1)
    if not store.hold_patron(work, command.patron_id):
        raise NoSuchPatron
    application = Application(
        id=new_id(),
        season_id=season.id,
        patron_id=command.patron_id,
        branch=command.branch,
        category=command.category,
        applied_at=work.now,
        code=secrets.token_hex(CODE_BYTES).upper(),
        paper_number=paper,
        received_on=command.received_on,
    )
    store.seasons.add_application(work, application)
    record_applied(work, season, application)
    return application
