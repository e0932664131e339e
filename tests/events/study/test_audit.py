"""The audit of a whole system finds what does not fit in study rooms."""

from datetime import UTC, datetime

from ops.audit.findings import Audit, Recorded
from ops.audit.places import check_admissions
from shared.mongo import Database
from tests.events.study.test_sessions import enter, in_order, job
from tests.support import Api


async def findings(database: Database) -> list[str]:
    """Return the audit's findings about the stored data and the events in the outbox."""
    result = Audit()
    recorded = Recorded({"events": database}, datetime.min.replace(tzinfo=UTC))
    await check_admissions(result, database, recorded)
    return result.findings


async def test_each_fault_in_study_rooms_is_found(api: Api) -> None:
    season, applications = await in_order(api, 5, places=2)
    assert (await enter(api, season, applications[0]["code"], "09:00")).status == 201
    assert await job(api, "09:15") == 1
    database = api.app.state.database
    assert await findings(database) == []

    waiting = {"_id": applications[3]["id"]}
    await database.study_applications.update_one(waiting, {"$set": {"state": "granted"}})
    found = await findings(database)
    assert [one.split()[2:5] for one in found] == [["has", "1", "cards"], ["is", "granted,", "but"]]
    await database.study_applications.update_one(waiting, {"$set": {"state": "standby"}})

    late = {"application_id": applications[1]["id"]}
    await database.study_seats.update_one(late, {"$set": {"state": "checked-in"}})
    assert ["more than places" in one for one in await findings(database)] == [True]
    await database.study_seats.update_one(late, {"$set": {"state": "lapsed"}})

    await database.study_ballots.update_one({"_id": season}, {"$pop": {"entries": 1}})
    await database.study_seasons.update_one({"_id": season}, {"$set": {"seed": "another"}})
    assert await findings(database) == [
        f"the list of season {season} was changed after it was closed",
        f"season {season} was drawn with another seed than announced",
    ]
