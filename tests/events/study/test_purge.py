"""Times for which the data of a season that is over are kept."""

import asyncio
from datetime import date, timedelta
from typing import Any

from ops.audit.places import check_seasons
from services.events.seasons.rules.season import BALLOT_KEPT, PATRONS_KEPT
from services.events.settings import Settings
from tests.events.programme import events
from tests.events.study.season import SEASON, ballot, own
from tests.events.study.test_audit import findings
from tests.events.study.test_sessions import enter, in_order, job
from tests.support import Api

LAST = date.fromisoformat(SEASON["valid_until"])
OF_PATRONS = ("study_applications", "study_seats", "study_sittings")


async def purge(api: Api, day: date) -> int:
    """Run the job on a day; return the number of parts that it deleted."""
    at = f"{day}T10:00:00+08:00"
    return await api.job("events/purge-seasons", at=at)


async def counts(api: Api) -> dict[str, int]:
    """Return the number of documents by collection."""
    database = api.app.state.database
    names = (*OF_PATRONS, "study_seasons", "study_seeds", "study_ballots")
    return {name: await database[name].count_documents({}) for name in names}


async def with_a_session(api: Api) -> tuple[str, list[dict[str, Any]]]:
    """Return a drawn season with three applications, and one session with a lapse."""
    season, applications = await in_order(api, 3)
    await job(api, "09:16")
    await enter(api, season, applications[1]["code"], "09:20")
    return season, applications


async def test_applications_end_90_days_after_their_season_and_the_ballot_stays(api: Api) -> None:
    season, applications = await with_a_session(api)
    before = await ballot(api, season)
    assert await purge(api, LAST + PATRONS_KEPT) == 0
    assert await own(api, season, "p0")
    assert await purge(api, LAST + PATRONS_KEPT + timedelta(days=1)) == 4
    assert await purge(api, LAST + PATRONS_KEPT + timedelta(days=1)) == 0
    kept = await counts(api)
    assert [kept[name] for name in OF_PATRONS] == [0, 0, 0]
    assert await ballot(api, season) == before
    told = await events(api, "admission.withdrawn")
    assert {one["application_id"] for one in told} == {one["id"] for one in applications}
    assert {one["by"] for one in told} == {"purged"}
    assert await findings(api.app.state.database) == []


async def test_a_place_that_was_still_held_lapses_when_its_season_is_purged(api: Api) -> None:
    await in_order(api, 3)
    await job(api, "09:15")
    await purge(api, LAST + PATRONS_KEPT + timedelta(days=1))
    promoted = {one["seat_id"] for one in await events(api, "admission.promoted")}
    lapsed = {one["seat_id"] for one in await events(api, "admission.lapsed")}
    assert promoted <= lapsed
    assert (await counts(api))["study_seats"] == 0


async def test_a_season_is_deleted_with_its_seed_and_ballot_after_two_years(api: Api) -> None:
    season, _ = await with_a_session(api)
    assert await purge(api, LAST + BALLOT_KEPT) == 4
    assert (await counts(api))["study_ballots"] == 1
    assert await purge(api, LAST + BALLOT_KEPT + timedelta(days=1)) == 1
    assert set((await counts(api)).values()) == {0}
    gone = await api.get(f"/v1/study-seasons/{season}/ballot")
    assert (gone.status, gone.json()["code"]) == (404, "no-such-season")


async def test_two_replicas_purge_each_part_once(api: Api, replica: Api) -> None:
    _, applications = await with_a_session(api)
    day = LAST + PATRONS_KEPT + timedelta(days=1)
    done = await asyncio.gather(*(purge(one, day) for one in (api, replica) * 3))
    assert sum(done) == len(applications) + 1
    told = await events(api, "admission.withdrawn")
    assert sorted(one["application_id"] for one in told) == sorted(
        one["id"] for one in applications
    )


async def test_a_season_that_is_not_over_keeps_everything(api: Api) -> None:
    await with_a_session(api)
    before = await counts(api)
    assert await purge(api, LAST) == 0
    assert await counts(api) == before


async def test_the_doctor_names_what_is_kept_too_long(api: Api, settings: Settings) -> None:
    await with_a_session(api)
    client = api.app.state.database.client
    in_earnest = settings.model_copy(update={"simulation": False})
    found = await check_seasons(client, in_earnest)
    assert (found.level, found.found) == (
        "fail",
        "3 applications and 1 seasons are kept longer than stated",
    )
    assert (await check_seasons(client, settings)).level == "ok"
    await purge(api, LAST + BALLOT_KEPT + timedelta(days=1))
    assert (await check_seasons(client, in_earnest)).level == "ok"
