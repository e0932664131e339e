"""The events of an application for a study room, recorded by the use cases that change one."""

from typing import Any

from services.events.domain.ballot import Outcome
from services.events.domain.season import Application, Ending, Season
from shared.contracts.events import (
    AdmissionApplied,
    AdmissionDrawn,
    AdmissionGranted,
    AdmissionStandby,
    AdmissionWithdrawn,
)
from shared.unit_of_work import Work


def record_applied(work: Work, season: Season, application: Application) -> None:
    """Record the event of a new application."""
    work.record(AdmissionApplied(**snapshot(season, application)))


def record_result(work: Work, season: Season, application: Application) -> None:
    """Record the result of the draw for an application."""
    if application.state == "granted":
        work.record(AdmissionGranted(**snapshot(season, application), waited=False))
    else:
        work.record(AdmissionStandby(**snapshot(season, application)))


def record_card_given(work: Work, season: Season, application: Application) -> None:
    """Record that an application on the standby list got an admission card."""
    work.record(AdmissionGranted(**snapshot(season, application), waited=True))


def record_withdrawn(work: Work, season: Season, application: Application, by: Ending) -> None:
    """Record the end of an application."""
    work.record(AdmissionWithdrawn(**snapshot(season, application), by=by))


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


def snapshot(season: Season, application: Application) -> dict[str, Any]:
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
