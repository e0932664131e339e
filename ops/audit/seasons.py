"""The check that applications for study rooms are deleted in time after their season."""

from datetime import timedelta

from ops.audit.findings import Finding
from services.events.seasons.rules.season import BALLOT_KEPT, PATRONS_KEPT
from services.settings import Settings
from shared.clock import library_day, wall_clock
from shared.mongo import Client

CHECK = "study rooms"
GRACE = timedelta(days=1)
"""Time that the job may take to delete what is no longer kept."""


async def check_seasons(client: Client, settings: Settings) -> Finding:
    """Check that no application is kept longer than stated, and no season with its ballot."""
    database = client[f"{settings.database_prefix}_events"]
    if settings.simulation:
        return Finding(CHECK, "ok", "not checked in a simulation, whose seasons are of other years")
    today = library_day(wall_clock() - GRACE, settings.zone)
    ended = {"valid_until": {"$lt": (today - PATRONS_KEPT).isoformat()}}
    seasons = await database.study_seasons.distinct("_id", ended)
    of_patrons = await database.study_applications.count_documents({"season_id": {"$in": seasons}})
    too_old = {"valid_until": {"$lt": (today - BALLOT_KEPT).isoformat()}}
    old = await database.study_seasons.count_documents(too_old)
    if of_patrons or old:
        found = f"{of_patrons} applications and {old} seasons are kept longer than stated"
        remedy = "run the job events/purge-seasons, and check that events has the role jobs"
        return Finding(CHECK, "fail", found, remedy)
    kept = await database.study_seasons.estimated_document_count()
    return Finding(CHECK, "ok", f"{kept} seasons, none with data that is kept too long")
