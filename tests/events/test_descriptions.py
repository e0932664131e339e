"""The description of an activity: abstract, remarks, languages, audience, ages, translations."""

from typing import Any

import pytest

from services.notices.kinds.activities import Moved
from shared.contracts.events import ActivityRescheduled
from tests.events.programme import ANNOUNCED, STAFF, TALK, events, published
from tests.support import Answer, Api

ABOUT: dict[str, Any] = {
    "abstract": "How factories gave work out.\nWith photographs.",
    "remarks": "Doors open at 6:45 pm.",
    "languages": ["yue", "en-HK"],
    "audience": "adults",
    "minimum_age": 12,
    "maximum_age": 99,
    "wordings": {
        "zh-Hant": {"title": "工廠內外", "venue": "網上", "abstract": "工廠如何外判工序。"},
        "zh-Hans": {"title": "工厂内外", "venue": None, "abstract": None},
    },
}
NOTHING: dict[str, Any] = {
    "abstract": None,
    "remarks": None,
    "languages": [],
    "audience": None,
    "minimum_age": None,
    "maximum_age": None,
    "wordings": {},
}


async def change(api: Api, activity: str, body: Any) -> Answer:
    return await api.patch(f"/v1/activities/{activity}", body, as_=STAFF, at=ANNOUNCED)


async def test_an_activity_is_published_with_its_description(api: Api) -> None:
    talk = await published(api, **ABOUT)
    assert {name: talk[name] for name in ABOUT} == ABOUT
    shown = await api.get(f"/v1/activities/{talk['id']}", at=ANNOUNCED)
    assert shown.json() == talk
    [told] = await events(api, "activity.published")
    assert {name: told[name] for name in ABOUT} == ABOUT


async def test_an_activity_without_a_description_says_nothing_of_it(api: Api) -> None:
    talk = await published(api)
    assert {name: talk[name] for name in NOTHING} == NOTHING


async def test_an_activity_stored_by_an_earlier_release_is_shown(api: Api) -> None:
    talk = await published(api)
    collection = api.app.state.database.activities
    await collection.update_one({"_id": talk["id"]}, {"$unset": {"about": 1}})
    assert (await api.get(f"/v1/activities/{talk['id']}", at=ANNOUNCED)).json() == talk


async def test_only_the_given_fields_of_a_description_change(api: Api) -> None:
    talk = await published(api, **ABOUT)
    changed = await change(api, talk["id"], {"title": "In and Out", "remarks": None})
    assert changed.json() == talk | {"title": "In and Out", "remarks": None, "version": 2}
    emptied = await change(api, talk["id"], NOTHING)
    assert emptied.json() == talk | NOTHING | {"title": "In and Out", "version": 3}


async def test_no_patron_is_notified_of_a_new_description_alone(api: Api) -> None:
    talk = await published(api)
    await change(api, talk["id"], {"abstract": "New."})
    await change(api, talk["id"], {"abstract": "Newer.", "venue": "Hall"})
    described, moved = await events(api, "activity.rescheduled")
    assert (described["described_anew"], moved["described_anew"]) == (True, False)
    assert (described["previous_venue"], moved["previous_venue"]) == (None, "Online")


async def test_an_event_of_a_new_description_makes_no_notification() -> None:
    fields: dict[str, Any] = {
        "version": 2,
        "activity_id": "talk-1",
        "branch": None,
        **{name: TALK[name] for name in ("title", "type", "venue", "starts_at", "organiser")},
    }
    run: Any = None
    assert await Moved.of(ActivityRescheduled(**fields, described_anew=True), run) is None
    assert await Moved.of(ActivityRescheduled(**fields), run) is not None


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"minimum_age": 13, "maximum_age": 12}, "ages-reversed"),
        ({"minimum_age": -1}, "malformed"),
        ({"maximum_age": 121}, "malformed"),
        ({"audience": "dogs"}, "malformed"),
        ({"languages": ["Cantonese"]}, "malformed"),
        ({"languages": ["yue"] * 11}, "malformed"),
        ({"abstract": "x" * 5001}, "malformed"),
        ({"remarks": " "}, "malformed"),
        ({"wordings": {"fr": {"title": "Usine"}}}, "malformed"),
        ({"wordings": {"en": {"speaker": "x"}}}, "malformed"),
    ],
)
async def test_a_description_beyond_its_limits_is_refused(
    api: Api, wrong: dict[str, Any], code: str
) -> None:
    answer = await api.post("/v1/activities", TALK | wrong, as_=STAFF, at=ANNOUNCED)
    assert (answer.status, answer.json()["code"]) == (422, code)
    talk = await published(api)
    answer = await change(api, talk["id"], wrong)
    assert (answer.status, answer.json()["code"]) == (422, code)


async def test_the_highest_age_may_be_the_lowest_one(api: Api) -> None:
    talk = await published(api, minimum_age=12, maximum_age=12)
    assert (talk["minimum_age"], talk["maximum_age"]) == (12, 12)
