"""An activity is moved, given more places or cancelled: the effect on its registrations."""

import asyncio
from typing import Any

import pytest

from services.events.activities import queries as activities_queries
from services.events.activities.commands.registrations import CHUNK
from tests.events.programme import ANNOUNCED, RELEASE, STAFF, TALK, events, published
from tests.events.test_registration_races import faults
from tests.events.test_registrations import erase, on_the_list, register, withdraw
from tests.support import Answer, Api, token

JOB = "/v1/ops/jobs/events/registrations"
LATER = {"starts_at": "2020-11-27T19:00:00+08:00", "ends_at": "2020-11-27T21:00:00+08:00"}
WHY = {"reason": "The library is closed."}


async def change(api: Api, activity: str, body: Any, **more: Any) -> Answer:
    call = {"as_": STAFF, "at": ANNOUNCED, **more}
    return await api.patch(f"/v1/activities/{activity}", body, **call)


async def cancel(api: Api, activity: str, **more: Any) -> Answer:
    call = {"as_": STAFF, "at": ANNOUNCED, **more}
    return await api.post(f"/v1/activities/{activity}/cancellation", WHY, **call)


async def registered(api: Api, activity: str, count: int) -> list[str]:
    """Register this many patrons one after the other, and return them."""
    patrons = [f"p{number}" for number in range(count)]
    for patron in patrons:
        assert (await register(api, patron, activity)).status < 300
    return patrons


async def states(api: Api, activity: str) -> list[str]:
    return [state for _, state, _ in await on_the_list(api, activity)]


# ---- time and venue -----------------------------------------------------------------------------


async def test_moving_an_activity_keeps_its_registrations(api: Api) -> None:
    talk = await published(api, places=1)
    await registered(api, talk["id"], 2)
    moved = await change(api, talk["id"], {**LATER, "venue": "Hall", "branch": "KPL"})
    assert moved.status == 200
    shown = moved.json()
    assert (shown["starts_at"], shown["ends_at"], shown["venue"], shown["branch"]) == (
        "2020-11-27T11:00:00Z",
        "2020-11-27T13:00:00Z",
        "Hall",
        "KPL",
    )
    assert (shown["places_left"], shown["version"]) == (0, 2)
    assert await states(api, talk["id"]) == ["confirmed", "waitlisted"]
    [told] = await events(api, "activity.rescheduled")
    assert (told["starts_at"], told["venue"], told["version"], told["cancelled"]) == (
        "2020-11-27T11:00:00Z",
        "Hall",
        2,
        False,
    )
    again = await change(api, talk["id"], {"ends_at": None, "branch": None})
    assert (again.json()["ends_at"], again.json()["branch"], again.json()["version"]) == (
        None,
        None,
        3,
    )


@pytest.mark.parametrize(
    "body", [{}, {"venue": "Online"}, {"starts_at": TALK["starts_at"], "places": 1}], ids=str
)
async def test_an_amendment_without_effect_publishes_no_event(api: Api, body: Any) -> None:
    talk = await published(api, places=1)
    same = await change(api, talk["id"], body)
    assert (same.status, same.json()) == (200, talk)
    assert await events(api, "activity.rescheduled") == []


@pytest.mark.parametrize(
    ("places", "body", "refusal"),
    [
        (2, {"places": 1}, (409, "fewer-places")),
        (None, {"places": 5}, (409, "no-registration-needed")),
        (2, {"ends_at": "2020-11-20T10:00:00+08:00"}, (422, "ends-before-it-starts")),
        (2, {"type": "workshop"}, (422, "malformed")),
        (2, {"places": 0}, (422, "malformed")),
        (2, {"venue": " "}, (422, "malformed")),
    ],
    ids=["fewer places", "none needed", "ends too early", "another type", "no place", "nowhere"],
)
async def test_a_refused_change_leaves_the_activity_unchanged(
    api: Api, places: int | None, body: Any, refusal: tuple[int, str]
) -> None:
    talk = await published(api, places=places)
    refused = await change(api, talk["id"], body)
    assert (refused.status, refused.json()["code"]) == refusal
    assert (await api.get(f"/v1/activities/{talk['id']}", at=ANNOUNCED)).json() == talk


async def test_only_staff_may_change_or_cancel_an_activity(api: Api) -> None:
    talk = await published(api, places=1)
    for as_, status in ((None, 401), (token(), 403), (token("o", ["ops"]), 403)):
        assert (await change(api, talk["id"], {"venue": "Hall"}, as_=as_)).status == status
        assert (await cancel(api, talk["id"], as_=as_)).status == status
    for call in (change(api, "none", {}), cancel(api, "none")):
        answer = await call
        assert (answer.status, answer.json()["code"]) == (404, "no-such-activity")


# ---- more places --------------------------------------------------------------------------------


async def test_added_places_go_to_the_first_waiting_patrons(api: Api) -> None:
    talk = await published(api, places=1)
    await registered(api, talk["id"], 4)
    shown = (await change(api, talk["id"], {"places": 3})).json()
    assert (shown["places"], shown["places_left"], shown["version"]) == (3, 0, 1)
    assert await on_the_list(api, talk["id"]) == [
        ("p0", "confirmed", None),
        ("p1", "confirmed", None),
        ("p2", "confirmed", None),
        ("p3", "waitlisted", 1),
    ]
    assert (await change(api, talk["id"], {"places": 9})).json()["places_left"] == 5
    told = await events(api, "registration.confirmed")
    assert [(one["patron_id"], one["waited"]) for one in told] == [
        ("p0", False),
        ("p1", True),
        ("p2", True),
        ("p3", True),
    ]


async def test_an_activity_moved_back_into_the_future_assigns_its_places(api: Api) -> None:
    talk = await published(api, places=1)
    for who in "ab":
        await register(api, who, talk["id"])
    await erase(api, "a", at=RELEASE)
    await change(api, talk["id"], {"places": 2}, at=RELEASE)
    assert await states(api, talk["id"]) == ["waitlisted"]
    await change(api, talk["id"], LATER, at=RELEASE)
    assert await states(api, talk["id"]) == ["confirmed"]


async def enlarged(api: Api) -> str:
    """Return an activity one change of which gives more places than fit into a transaction."""
    talk = await published(api, places=1)
    await registered(api, talk["id"], 2 * CHUNK + 10)
    await change(api, talk["id"], {"places": 500})
    assert (await states(api, talk["id"])).count("confirmed") == 1 + CHUNK
    late = await register(api, "late", talk["id"])
    assert (late.status, late.json()["position"]) == (202, CHUNK + 10)
    return str(talk["id"])


async def test_places_beyond_one_transaction_are_assigned_by_the_job(
    api: Api, replica: Api
) -> None:
    talk = await enlarged(api)
    answers = await asyncio.gather(
        *(door.post(JOB, as_=STAFF, at="2022-01-01T00:00:00Z") for door in [api, replica] * 3)
    )
    assert sum(answer.json()["done"] for answer in answers) == CHUNK + 10
    assert await states(api, talk) == ["confirmed"] * (2 * CHUNK + 11)
    assert await faults(api, talk) == []
    assert (await api.post(JOB, as_=STAFF)).json()["done"] == 0
    told = await events(api, "registration.confirmed")
    assert len({one["registration_id"] for one in told}) == len(told)


async def test_withdrawals_while_the_job_assigns_places_keep_the_counts_consistent(
    api: Api, replica: Api
) -> None:
    talk = await enlarged(api)
    answers = await asyncio.gather(
        api.post(JOB, as_=STAFF, at=ANNOUNCED),
        *(withdraw([api, replica][n % 2], f"p{n}", talk, key=f"k{n}") for n in range(0, 100, 5)),
    )
    assert {answer.status for answer in answers} <= {200, 503}
    assert await faults(api, talk) == []


async def test_the_job_assigns_no_places_of_an_activity_moved_into_the_past(api: Api) -> None:
    talk = await published(api, places=1)
    await registered(api, talk["id"], CHUNK + 5)
    await change(api, talk["id"], {"places": 500})
    await change(api, talk["id"], {"starts_at": "2020-10-31T10:00:00+08:00"})
    assert (await api.post(JOB, as_=STAFF)).json()["done"] == 0
    assert (
        await activities_queries.unfinished(api.app.state.database) == {}
    )  # so it is not looked at again
    assert (await states(api, talk["id"])).count("waitlisted") == 4
    await change(api, talk["id"], LATER)
    assert (await states(api, talk["id"])).count("waitlisted") == 0


# ---- cancelled ----------------------------------------------------------------------------------


async def test_cancelling_an_activity_ends_its_registrations(api: Api) -> None:
    talk = await published(api, places=1)
    await registered(api, talk["id"], 2)
    answer = await cancel(api, talk["id"])
    assert answer.status == 200
    shown = answer.json()
    assert (shown["cancelled_at"], shown["cancelled_because"]) == (
        "2020-11-01T02:00:00Z",
        WHY["reason"],
    )
    assert (shown["places_left"], shown["version"]) == (0, 2)
    assert (await api.get(f"/v1/activities/{talk['id']}", at=ANNOUNCED)).json() == shown
    assert await on_the_list(api, talk["id"]) == []
    [told] = await events(api, "activity.cancelled")
    assert (told["cancelled"], told["reason"], told["version"]) == (True, WHY["reason"], 2)
    ended = await events(api, "registration.cancelled")
    assert [(one["patron_id"], one["by"], one["state"]) for one in ended] == [
        ("p0", "activity", "cancelled"),
        ("p1", "activity", "cancelled"),
    ]
    assert len(await events(api, "registration.confirmed")) == 1  # nobody gets the place

    calls = {
        "register": register(api, "new", talk["id"]),
        "change": change(api, talk["id"], {"venue": "Hall"}),
        "cancel": cancel(api, talk["id"]),
    }
    for name, call in calls.items():
        refused = await call
        assert (refused.status, refused.json()["code"]) == (409, "activity-cancelled"), name
    gone = await withdraw(api, "p0", talk["id"])
    assert (gone.status, gone.json()["code"]) == (404, "not-registered")


async def test_an_activity_without_registration_can_be_cancelled(api: Api) -> None:
    talk = await published(api)
    shown = (await cancel(api, talk["id"])).json()
    assert (shown["cancelled_because"], shown["places_left"]) == (WHY["reason"], None)
    listed = (await api.get("/v1/activities", at=ANNOUNCED)).json()["items"]
    assert listed == [shown]


async def test_a_repeated_cancellation_gets_the_same_response(api: Api, replica: Api) -> None:
    talk = await published(api, places=1)
    first = await cancel(api, talk["id"], key="k")
    assert (await cancel(replica, talk["id"], key="k")).body == first.body
    assert len(await events(api, "activity.cancelled")) == 1


async def test_registrations_beyond_one_transaction_are_ended_by_the_job(
    api: Api, replica: Api
) -> None:
    talk = await published(api, places=20)
    count = 2 * CHUNK + 10
    await registered(api, talk["id"], count)
    await cancel(api, talk["id"])
    left = await states(api, talk["id"])
    assert len(left) == count - CHUNK
    begun = await withdraw(api, f"p{count - 1}", talk["id"])
    assert (begun.status, begun.json()["code"]) == (409, "activity-cancelled")
    answers = await asyncio.gather(
        *(door.post(JOB, as_=STAFF, at="2022-01-01T00:00:00Z") for door in [api, replica] * 3),
        erase(api, f"p{count - 2}"),
    )
    assert sum(answer.json()["done"] for answer in answers[:-1] if answer) in (
        count - CHUNK - 1,  # one was erased before
        count - CHUNK,
    )
    assert await on_the_list(api, talk["id"]) == []
    assert await faults(api, talk["id"]) == []
    ended = await events(api, "registration.cancelled")
    assert len({one["registration_id"] for one in ended}) == len(ended) == count
    rows = api.app.state.database.outbox.find({"topic": "registration.cancelled"})
    times = {row["headers"]["ce_time"] async for row in rows}
    assert times == {"2020-11-01T02:00:00Z"}  # the job's time is that of the cancellation
    assert (await api.post(JOB, as_=STAFF)).json()["done"] == 0


async def test_a_registration_during_a_cancellation_is_cancelled_too(
    api: Api, replica: Api
) -> None:
    for round_ in range(4):
        talk = await published(api, places=3, title=str(round_))
        answers = await asyncio.gather(
            *(register([api, replica][n % 2], f"p{n}", talk["id"]) for n in range(6)),
            api.insist(
                "POST",
                f"/v1/activities/{talk['id']}/cancellation",
                WHY,
                as_=STAFF,
                at=ANNOUNCED,
            ),
        )
        assert answers[-1].status == 200
        assert {answer.status for answer in answers[:-1]} <= {201, 202, 409, 503}
        await api.post(JOB, as_=STAFF)
        assert await on_the_list(api, talk["id"]) == []
        assert await faults(api, talk["id"]) == []


async def test_the_event_of_a_moved_activity_has_the_previous_time_and_place(api: Api) -> None:
    talk = await published(api)
    await change(api, talk["id"], {**LATER, "venue": "Hall"})
    await change(api, talk["id"], {"venue": talk["venue"]})
    await change(api, talk["id"], {"branch": "KPL"})
    moved, back, elsewhere = await events(api, "activity.rescheduled")
    assert (moved["previous_starts_at"], moved["previous_venue"]) == (
        talk["starts_at"],
        talk["venue"],
    )
    assert (back["previous_starts_at"], back["previous_venue"]) == (None, "Hall")
    assert (elsewhere["previous_starts_at"], elsewhere["previous_venue"]) == (None, None)
