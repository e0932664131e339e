"""A recording's address is published at its release time, never earlier."""

import asyncio
import random
import re

import pytest

from tests.events.programme import (
    ANNOUNCED,
    BEFORE,
    RELEASE,
    STAFF,
    TALK,
    URL,
    events,
    published,
)
from tests.support import Api, token

JOB = "/v1/ops/jobs/events/releases"


async def test_before_its_release_the_response_says_when_the_recording_is_available(
    api: Api,
) -> None:
    talk = await published(api)
    answer = await api.get(f"/v1/activities/{talk['id']}/recording", at=BEFORE)
    assert answer.status == 403
    problem = answer.json()
    assert problem["code"] == "not-yet-released"
    assert problem["available_from"] == "2020-11-20T11:00:00Z"


async def test_the_recording_address_is_given_from_its_release_time_without_the_job(
    api: Api,
) -> None:
    talk = await published(api)
    answer = await api.get(f"/v1/activities/{talk['id']}/recording", at=RELEASE)
    assert answer.status == 200
    assert answer.json() == {"url": URL, "available_from": "2020-11-20T11:00:00Z"}
    shown = await api.get(f"/v1/activities/{talk['id']}", at=RELEASE)
    assert shown.json()["recording"]["released"] is True


async def test_an_activity_without_a_recording_is_answered_as_not_found(api: Api) -> None:
    talk = await published(api, recording=None)
    assert talk["recording"] is None
    answer = await api.get(f"/v1/activities/{talk['id']}/recording")
    assert (answer.status, answer.json()["code"]) == (404, "no-recording")


async def test_the_recording_address_appears_only_in_its_own_response(
    api: Api, capfd: pytest.CaptureFixture[str]
) -> None:
    talk = await published(api)
    once = await api.post("/v1/activities", TALK, as_=STAFF, key="k", at=ANNOUNCED)
    again = await api.post("/v1/activities", TALK, as_=STAFF, key="k", at=ANNOUNCED)
    assert (await api.post(JOB, as_=STAFF, at=RELEASE)).json()["done"] == 2
    wrong = {**TALK, "title": "", "recording": {**TALK["recording"], "available_from": "soon"}}  # type: ignore[dict-item]
    answers = [
        once,
        again,
        await api.post("/v1/activities", {**TALK, "key": 1}, as_=STAFF, key="k"),
        await api.post("/v1/activities", wrong, as_=STAFF),
        await api.get("/v1/activities", at=RELEASE),
        await api.get(f"/v1/activities/{talk['id']}", at=RELEASE),
        await api.get(f"/v1/activities/{talk['id']}/recording", at=BEFORE),
    ]
    database = api.app.state.database
    outbox = [row async for row in database.outbox.find()]
    stored = [row async for row in database.answers.find()]
    assert outbox
    assert stored
    logs = "".join(capfd.readouterr())
    for text in [*(str(answer.body) for answer in answers), str(outbox), str(stored), logs]:
        assert not re.search("media.example|factory-in", text)


async def test_the_job_announces_a_release_once_although_two_replicas_run_it(
    api: Api, replica: Api
) -> None:
    made = [await published(api, title=str(place)) for place in range(5)]
    later = await published(
        api, recording={"available_from": "2020-11-20T19:00:01+08:00", "url": URL}
    )
    assert (await api.post(JOB, as_=STAFF, at=BEFORE)).json()["done"] == 0
    doors = [api, replica] * 5
    random.shuffle(doors)
    answers = await asyncio.gather(*(door.post(JOB, as_=STAFF, at=RELEASE) for door in doors))
    assert {answer.status for answer in answers} == {200}
    assert sum(answer.json()["done"] for answer in answers) == 5
    told = await events(api, "recording.released")
    assert sorted(event["activity_id"] for event in told) == sorted(one["id"] for one in made)
    assert {event["version"] for event in told} == {2}
    assert later["id"] not in {event["activity_id"] for event in told}
    assert (await api.post(JOB, as_=STAFF, at="2021-01-01T00:00:00Z")).json()["done"] == 1


async def test_a_patron_may_not_run_the_job(api: Api) -> None:
    assert (await api.post(JOB, as_=token())).status == 403
    assert (await api.post(JOB)).status == 401
