"""Registering for an activity: answers, published events and refusals."""

import random
from typing import Any

import pytest

from shared.contracts.accounts import PatronErased
from tests.events.programme import ANNOUNCED, RELEASE, STAFF, TALK, events, hear, published
from tests.support import Answer, Api, token

TOPICS = ("registration.confirmed", "registration.waitlisted", "registration.cancelled")


async def register(api: Api, patron: str, activity: str, **more: Any) -> Answer:
    call = {"as_": token(patron), "at": ANNOUNCED, **more}
    return await api.post(f"/v1/activities/{activity}/registration", **call)


async def withdraw(api: Api, patron: str, activity: str, **more: Any) -> Answer:
    call = {"as_": token(patron), "at": ANNOUNCED, **more}
    return await api.delete(f"/v1/activities/{activity}/registration", **call)


async def on_the_list(api: Api, activity: str) -> list[tuple[str, str, int | None]]:
    """Return patron, state and position of each registration as staff see them; pages of two."""
    found: list[tuple[str, str, int | None]] = []
    after = ""
    while True:
        answer = await api.get(f"/v1/activities/{activity}/registrations?limit=2{after}", as_=STAFF)
        page = answer.json()
        found += [(one["patron_id"], one["state"], one["position"]) for one in page["items"]]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


async def erase(api: Api, patron: str, event_id: str = "e-1", at: str = ANNOUNCED) -> None:
    """Deliver a patron's erasure as the listener does."""
    event = PatronErased(
        version=9,
        patron_id=patron,
        category="",
        home_branch="",
        language="en",
        status="erased",
        card_digest="",
    )
    await hear(api, event, event_id, at)


async def test_the_first_patrons_get_places_and_later_ones_wait(api: Api) -> None:
    talk = await published(api, places=2)
    assert (talk["places"], talk["places_left"]) == (2, 2)
    first = await register(api, "a", talk["id"])
    assert first.status == 201
    placed = first.json()
    assert placed == {
        "id": placed["id"],
        "activity_id": talk["id"],
        "patron_id": "a",
        "state": "confirmed",
        "position": None,
        "turn": 1,
        "registered_at": "2020-11-01T02:00:00Z",
        "attended_at": None,
        "version": 1,
    }
    assert (await register(api, "b", talk["id"])).status == 201
    for place, patron in enumerate(("c", "d"), start=1):
        waits = await register(api, patron, talk["id"])
        assert waits.status == 202
        assert (waits.json()["state"], waits.json()["position"]) == ("waitlisted", place)
    shown = (await api.get(f"/v1/activities/{talk['id']}")).json()
    assert (shown["places"], shown["places_left"], shown["version"]) == (2, 0, 1)
    assert (await api.get("/v1/activities")).json()["items"] == [
        {**shown, "recording": talk["recording"] | {"released": True}}
    ]
    assert await on_the_list(api, talk["id"]) == [
        ("a", "confirmed", None),
        ("b", "confirmed", None),
        ("c", "waitlisted", 1),
        ("d", "waitlisted", 2),
    ]


async def test_a_withdrawn_place_goes_to_the_first_patron_on_the_waiting_list(api: Api) -> None:
    talk = await published(api, places=1)
    ids = [(await register(api, who, talk["id"])).json()["id"] for who in "abcd"]
    ended = await withdraw(api, "c", talk["id"])  # a waitlisted patron has no place to give
    assert (ended.status, ended.json()["state"], ended.json()["version"]) == (200, "cancelled", 2)
    assert [who for who, *_ in await on_the_list(api, talk["id"])] == ["a", "b", "d"]
    await withdraw(api, "a", talk["id"])
    assert await on_the_list(api, talk["id"]) == [
        ("b", "confirmed", None),
        ("d", "waitlisted", 1),
    ]
    again = await register(api, "a", talk["id"])  # at the end of the line
    assert (again.status, again.json()["position"]) == (202, 2)

    told = {topic: await events(api, topic) for topic in TOPICS}
    assert [
        (one["registration_id"], one["version"], one["waited"])
        for one in told["registration.confirmed"]
    ] == [(ids[0], 1, False), (ids[1], 2, True)]
    assert [one["registration_id"] for one in told["registration.waitlisted"]] == [
        *ids[1:],
        again.json()["id"],
    ]
    assert [
        (one["registration_id"], one["version"], one["state"], one["by"])
        for one in told["registration.cancelled"]
    ] == [(ids[2], 2, "cancelled", "patron"), (ids[0], 2, "cancelled", "patron")]
    for one in (event for topic in TOPICS for event in told[topic]):
        assert str(TALK["title"]) not in str(one)


async def test_an_activity_without_places_needs_no_registration(api: Api) -> None:
    talk = await published(api)
    assert (talk["places"], talk["places_left"]) == (None, None)
    refused = await register(api, "a", talk["id"])
    assert (refused.status, refused.json()["code"]) == (409, "no-registration-needed")


@pytest.mark.parametrize("places", [0, -1, 100_001, "many", 1.5])
async def test_an_invalid_number_of_places_is_422(api: Api, places: Any) -> None:
    answer = await api.post("/v1/activities", {**TALK, "places": places}, as_=STAFF)
    assert answer.status == 422


@pytest.mark.parametrize(
    ("call", "who", "at", "refusal"),
    [
        (register, "a", ANNOUNCED, (409, "already-registered")),
        (register, "b", ANNOUNCED, (409, "already-registered")),
        (register, "c", RELEASE, (409, "activity-begun")),
        (withdraw, "a", RELEASE, (409, "activity-begun")),
        (withdraw, "c", ANNOUNCED, (404, "not-registered")),
    ],
    ids=["has a place", "waits", "has begun", "has begun, too late to withdraw", "never came"],
)
async def test_a_refused_call_changes_no_registration(
    api: Api, call: Any, who: str, at: str, refusal: tuple[int, str]
) -> None:
    talk = await published(api, places=1)
    for patron in "ab":
        await register(api, patron, talk["id"])
    before = await on_the_list(api, talk["id"])
    refused = await call(api, who, talk["id"], at=at)
    assert (refused.status, refused.json()["code"]) == refusal
    assert refused.json()["detail"]
    assert await on_the_list(api, talk["id"]) == before
    assert len(await events(api, "registration.confirmed")) == 1


@pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
async def test_registering_for_an_unknown_activity_is_not_found(api: Api, method: str) -> None:
    answer = await api.call(method, "/v1/activities/none/registration", as_=token())
    assert (answer.status, answer.json()["code"]) == (404, "no-such-activity")
    answer = await api.get("/v1/activities/none/registrations", as_=STAFF)
    assert (answer.status, answer.json()["code"]) == (404, "no-such-activity")


async def test_staff_see_the_patrons_who_registered(api: Api) -> None:
    talk = await published(api, places=1)
    path = f"/v1/activities/{talk['id']}/registration"
    for method in ("POST", "DELETE", "GET"):
        assert (await api.call(method, path)).status == 401
        assert (await api.call(method, path, as_=STAFF)).status == 403
    for as_, status in ((None, 401), (token(), 403), (token("o", ["ops"]), 403)):
        assert (await api.get(f"{path}s", as_=as_)).status == status
    for as_, status in ((None, 401), (token(), 200), (STAFF, 403)):
        assert (await api.get("/v1/me/registrations", as_=as_)).status == status
    for after in ("x", "-1", "²", "1" * 20):
        assert (await api.get(f"{path}s?after={after}", as_=STAFF)).status == 422


async def test_a_patron_sees_their_own_registrations_with_their_activities(api: Api) -> None:
    later = await published(api, places=1, starts_at="2020-12-24T10:00:00+08:00", title="Later")
    talk = await published(api, places=1)
    show = await published(
        api,
        places=1,
        title="Show",
        type="exhibition",
        starts_at="2020-11-10T10:00:00+08:00",
        ends_at="2020-11-21T18:00:00+08:00",
    )
    await register(api, "b", later["id"])
    for activity in (later, talk, show):
        await register(api, "a", activity["id"])

    async def titles(who: str, at: str) -> list[tuple[str, int | None]]:
        answer = await api.get("/v1/me/registrations", as_=token(who), at=at)
        return [(one["title"], one["position"]) for one in answer.json()["items"]]

    every = [("Show", None), (TALK["title"], None), ("Later", 1)]
    assert await titles("a", ANNOUNCED) == every
    assert await titles("a", "2020-11-20T23:59:59+08:00") == every  # the last moment of its day
    assert await titles("a", "2020-11-21T00:00:00+08:00") == [every[0], every[2]]
    assert await titles("a", "2020-11-22T00:00:00+08:00") == [every[2]]
    assert await titles("b", ANNOUNCED) == [("Later", None)]
    assert await titles("c", ANNOUNCED) == []

    path = f"/v1/activities/{later['id']}/registration"
    own = (await api.get(path, as_=token("a"))).json()
    mine = await api.get("/v1/me/registrations", as_=token("a"), at=ANNOUNCED)
    assert own == mine.json()["items"][-1]
    assert (own["starts_at"], own["venue"]) == ("2020-12-24T02:00:00Z", "Online")
    nobody = await api.get(path, as_=token("c"))
    assert (nobody.status, nobody.json()["code"]) == (404, "not-registered")


async def test_a_repeated_request_gets_the_same_response(api: Api, replica: Api) -> None:
    talk = await published(api, places=1)
    await register(api, "a", talk["id"])
    first = await register(api, "b", talk["id"], key="k")
    again = await register(replica, "b", talk["id"], key="k")
    assert (again.status, again.body) == (first.status, first.body) == (202, first.body)
    ended = await withdraw(api, "a", talk["id"], key="k")
    assert (await withdraw(replica, "a", talk["id"], key="k")).body == ended.body
    assert await on_the_list(api, talk["id"]) == [("b", "confirmed", None)]


async def test_an_erasure_deletes_all_registrations_and_reassigns_their_places(api: Api) -> None:
    talk, other = await published(api, places=1), await published(api, places=2, title="Other")
    for who in "abc":
        await register(api, who, talk["id"])
    for who in "ca":
        await register(api, who, other["id"])
    await erase(api, "a")
    assert await on_the_list(api, talk["id"]) == [("b", "confirmed", None), ("c", "waitlisted", 1)]
    assert await on_the_list(api, other["id"]) == [("c", "confirmed", None)]
    assert await api.app.state.database.registrations.find_one({"patron_id": "a"}) is None
    told = await events(api, "registration.cancelled")
    assert [(one["patron_id"], one["by"]) for one in told] == [("a", "erased")] * 2
    # The patron's token is still valid for a while.
    refused = await register(api, "a", talk["id"])
    assert (refused.status, refused.json()["code"]) == (404, "no-such-patron")
    assert [who for who, *_ in await on_the_list(api, talk["id"])] == ["b", "c"]


async def test_no_place_is_reassigned_after_an_activity_begins(api: Api) -> None:
    talk = await published(api, places=1)
    for who in "ab":
        await register(api, who, talk["id"])
    await erase(api, "a", at=RELEASE)
    assert await on_the_list(api, talk["id"]) == [("b", "waitlisted", 1)]


@pytest.mark.parametrize("seed", range(3))
async def test_repeated_erasures_in_any_order_have_the_same_result(api: Api, seed: int) -> None:
    shuffled = random.Random(seed)  # noqa: S311 - an order, not a secret
    talk = await published(api, places=2)
    for who in "abcdef":
        await register(api, who, talk["id"])
    for who in shuffled.sample("bde" * 3, 9):
        await erase(api, who, f"e-{who}")
    assert await on_the_list(api, talk["id"]) == [
        ("a", "confirmed", None),
        ("c", "confirmed", None),
        ("f", "waitlisted", 1),
    ]
    assert len(await events(api, "registration.cancelled")) == 3


async def test_snapshots_contain_only_registrations_that_have_not_ended(api: Api) -> None:
    talk = await published(api, places=1)
    for who in "abc":
        await register(api, who, talk["id"])
    await withdraw(api, "a", talk["id"])
    service = token("gateway", ["service"])
    told = (await api.get("/v1/snapshots/registrations", as_=service)).json()["items"]
    assert [(one["patron_id"], one["state"], one["version"]) for one in told] == [
        ("b", "confirmed", 2),
        ("c", "waitlisted", 1),
    ]
