"""Notifications about announcements that are made, replaced or cancelled."""

import asyncio
import random
from datetime import date

import pytest

from services.notices.messages.consumers import subscriptions
from shared.contracts.circulation import HoldChanged, HoldReady
from shared.contracts.events import ActivityRescheduled
from shared.ids import new_id
from tests.notices import library
from tests.notices.lending import Lending
from tests.support import Api

FEBRUARY_18 = "2021-02-18T10:00:00+08:00"
MARCH_5 = date(2021, 3, 5)
MAY_3 = date(2021, 5, 3)
FROM = {"from": "2020-12-10"}


# ---- suspensions --------------------------------------------------------------------------------


async def test_suspensions_announced_at_the_same_time_are_combined_into_one_message(
    api: Api, lending: Lending
) -> None:
    await library.register(api)
    lending.borrowers = {"s-1": ["p"], "s-2": ["p"]}
    lending.borrowed_from = {"s-1": ["STPL", "TPO"], "s-2": ["ML1"]}
    await library.hear(api, library.suspended("s-2", resumes_on=MAY_3), "e-2", library.FEBRUARY_17)
    await library.hear(
        api, library.suspended("s-1", resumes_on=MARCH_5), "e-1", library.FEBRUARY_17
    )
    (item,) = await library.inbox(api, "p")
    assert item["text"] == (
        "Fines are suspended from 10 December 2020 for your loans from Sha Tin Public Library and "
        "Tai Po Public Library. They restart on 5 March 2021. "
        "Fines are suspended from 10 December 2020 for your loans from Mobile Library 1. "
        "They restart on 3 May 2021."
    )
    assert item["about"]["suspension_id"] == "s-1"
    assert item["about"]["branches"] == ["STPL", "TPO"]
    assert [also["resumes_on"] for also in item["also"]] == ["2021-05-03"]


@pytest.mark.parametrize("seed", range(3))
async def test_simultaneous_announcements_are_combined_by_kind_in_any_order(
    api: Api, lending: Lending, seed: int
) -> None:
    told = [
        ("e-1", library.suspended("s-1")),
        ("e-2", library.suspended("s-2", resumes_on=MAY_3)),
        ("e-3", library.suspended("s-1", 2, resumes_on=MARCH_5)),
        ("e-4", library.suspended("s-1", 3, resumes_on=MAY_3, previous_resumes_on=MARCH_5)),
        ("e-5", library.resumed("s-3", resumes_on=library.FEBRUARY_19)),
        ("e-6", library.resumed("s-4", resumes_on=library.FEBRUARY_19)),
    ]
    lending.borrowers = {f"s-{number}": ["p"] for number in range(1, 5)}
    shuffled = random.Random(seed)  # noqa: S311 - an order, not a secret
    for event_id, event in shuffled.sample(told * 3, len(told) * 3):
        await library.hear(api, event, event_id, library.FEBRUARY_17)
    again, freed = await library.inbox(api, "p")
    assert (again["kind"], freed["kind"]) == ("fines.resumed", "fines.suspended")
    assert [len(one["also"]) for one in (again, freed)] == [1, 1]
    assert (freed["about"]["suspension_id"], freed["about"]["version"]) == ("s-1", 3)
    assert "not on 5 March 2021 as announced before" in freed["text"]


async def test_suspensions_processed_by_two_replicas_are_combined_into_one_message(
    api: Api, lending: Lending, replica: Api
) -> None:
    lending.borrowers = {"s-1": ["p", "q"], "s-2": ["p", "q"]}
    await asyncio.gather(
        library.hear(api, library.suspended("s-1"), "e-1", library.FEBRUARY_17),
        library.hear(replica, library.suspended("s-2"), "e-2", library.FEBRUARY_17),
    )
    for patron_id in ("p", "q"):
        (item,) = await library.inbox(api, patron_id)
        said = [item["about"]["suspension_id"], item["also"][0]["suspension_id"]]
        assert (said, item["read"]) == (["s-1", "s-2"], False)


async def test_a_read_message_becomes_unread_when_it_is_extended(
    api: Api, lending: Lending
) -> None:
    lending.borrowers = {"s-1": ["p"], "s-2": ["p"]}
    await library.hear(api, library.suspended("s-1"), "e-1", library.FEBRUARY_17)
    (item,) = await library.inbox(api, "p")
    assert (
        await api.insist("POST", f"/v1/me/inbox/{item['id']}/read", as_=library.patron("p"))
    ).status == 200
    await library.hear(api, library.suspended("s-2"), "e-2", library.FEBRUARY_17)
    (item,) = await library.inbox(api, "p")
    assert not item["read"]
    told = await library.events(api, "notification.delivered", "notification.read")
    assert [(e["version"], e["read"]) for e in told] == [(1, False), (2, True), (3, False)]


async def test_suspensions_announced_at_different_times_are_two_messages(
    api: Api, lending: Lending
) -> None:
    lending.borrowers = {"s-1": ["p"], "s-2": ["p"]}
    await library.hear(api, library.suspended("s-1"), "e-1", library.FEBRUARY_17)
    await library.hear(api, library.suspended("s-2"), "e-2", FEBRUARY_18)
    assert len(await library.inbox(api, "p")) == 2


async def test_cancelling_a_resumption_names_the_day_that_no_longer_applies(
    api: Api, lending: Lending
) -> None:
    await library.register(api)
    lending.borrowers["s-1"] = ["p"]
    await library.hear(
        api, library.suspended("s-1", 2, resumes_on=MARCH_5), "e-0", library.FEBRUARY_1
    )
    revoked = library.suspended("s-1", 3, previous_resumes_on=MARCH_5)
    await library.hear(api, revoked, "e-1", library.FEBRUARY_17)
    told, _ = await library.texts(api, "p")
    assert told == (
        "Fines are suspended from 10 December 2020 for your loans from "
        "Hong Kong Central Library. They do not restart on 5 March 2021 "
        "as announced before. Another day will be announced."
    )


async def test_a_suspension_withdrawn_as_an_error_is_announced_as_not_in_force(
    api: Api, lending: Lending
) -> None:
    lending.borrowers["s-1"] = ["p"]
    await library.hear(api, library.suspended("s-1"), "e-0", library.FEBRUARY_1)
    error = library.resumed("s-1", 2, resumes_on=date(2020, 12, 10), withdrawn_on=date(2021, 2, 17))
    await library.hear(api, error, "e-1", library.FEBRUARY_17)
    told, _ = await library.texts(api, "p")
    assert told == (
        "Fines are not suspended from 10 December 2020 as announced before. "
        "Overdue days of your loans from HKCL count as usual."
    )


# ---- reopenings ---------------------------------------------------------------------------------


async def test_a_reannounced_reopening_names_the_day_it_replaces(
    api: Api,
) -> None:
    await library.register(api)
    await library.hear(api, library.prefers("p", 1, ("TPO",)), "e-1", library.FEBRUARY_1)
    announced = library.closure((1, None), (2, library.FEBRUARY_19), (3, MARCH_5))
    later = library.reopened("TPO", 3, reopened_on=MARCH_5, closures=(announced,))
    await library.hear(api, later, "e-2", library.FEBRUARY_17)
    assert await library.texts(api, "p") == [
        (
            "Tai Po Public Library reopens on 5 March 2021, "
            "not on 19 February 2021 as announced before."
        )
    ]


async def test_followers_notified_of_a_reopening_are_notified_of_a_further_closure(
    api: Api,
) -> None:
    await library.register(api)
    await library.hear(api, library.prefers("p", 1, ("TPO",)), "e-1", library.FEBRUARY_1)
    await library.hear(api, library.closed("TPO"), "e-2", library.FEBRUARY_17)
    assert await library.texts(api, "p") == [
        (
            "Tai Po Public Library does not reopen on 19 February 2021 as announced before. "
            "Another day will be announced."
        )
    ]


async def told_of_closures(api: Api) -> list[str]:
    """Return the notifications of follower p after all published branch events, oldest first."""
    topics = {"$in": ["branch.closed", "branch.reopened", "branch.closure-changed"]}
    async for row in api.app.state.database.outbox.find({"topic": topics}).sort("$natural", 1):
        contract = subscriptions.by_topic[row["topic"]].contract
        event = contract.model_validate_json(bytes(row["body"]))
        await library.hear(api, event, row["_id"], row["headers"]["ce_time"])
    return [item["text"] for item in reversed(await library.inbox(api, "p"))]


async def test_each_change_of_an_announced_reopening_names_both_days(
    api: Api,
) -> None:
    await library.register(api, "TPO")
    await library.hear(api, library.prefers("p", 1, ("TPO",)), "e-1", "2020-11-02T10:00:00+08:00")
    first = await library.close(api, "2020-12-09T18:00:00+08:00", branches=["TPO"], **FROM)
    path = f"/v1/closures/{first.json()['id']}"
    done = [
        await library.reopening(
            api, first.json()["id"], library.FEBRUARY_1, reopened_on="2021-02-19"
        ),
        await api.insist(
            "PATCH", path, {"reason": "Repairs"}, as_=library.STAFF, at="2021-02-02T10:00:00+08:00"
        ),
        await library.reopening(
            api, first.json()["id"], "2021-02-03T10:00:00+08:00", reopened_on=None
        ),
        await library.reopening(
            api, first.json()["id"], "2021-02-04T10:00:00+08:00", reopened_on="2021-02-26"
        ),
    ]
    further = await library.close(
        api,
        "2021-02-05T10:00:00+08:00",
        branches=["TPO"],
        reopened_on="2021-03-05",
        reason="Repairs",
        **{"from": "2021-02-20"},
    )
    withdrawal = {"reason": "Repaired", "in_error": True}
    for closure_id, at in ((further.json()["id"], 6), (first.json()["id"], 7)):
        done.append(
            await api.insist(
                "POST",
                f"/v1/closures/{closure_id}/withdrawal",
                withdrawal,
                as_=library.STAFF,
                at=f"2021-02-{at:02}T10:00:00+08:00",
            )
        )
    assert [answer.status for answer in (first, *done, further)] == [201, *[200] * 6, 201]
    name = "Tai Po Public Library"
    assert await told_of_closures(api) == [
        f"{name} reopens on 19 February 2021.",
        (
            f"{name} does not reopen on 19 February 2021 as announced before. "
            "Another day will be announced."
        ),
        f"{name} reopens on 26 February 2021.",
        f"{name} reopens on 5 March 2021, not on 26 February 2021 as announced before.",
        f"{name} reopens on 26 February 2021, not on 5 March 2021 as announced before.",
        f"{name} is open. It is not closed until 26 February 2021 as announced before.",
    ]


async def test_a_reopening_within_a_longer_closure_names_the_day_of_the_longer_one(
    api: Api,
) -> None:
    await library.register(api, "TPO")
    await library.hear(api, library.prefers("p", 1, ("TPO",)), "e-1", "2020-11-02T10:00:00+08:00")
    at = "2020-12-09T18:00:00+08:00"
    first = await library.close(api, at, branches=["TPO"], **FROM)
    second = await library.close(api, at, branches=["TPO"], reopened_on="2021-03-05", **FROM)
    assert second.status == 201, second.body
    assert (
        await library.reopening(
            api, first.json()["id"], library.FEBRUARY_1, reopened_on="2021-02-19"
        )
    ).status == 200
    assert await told_of_closures(api) == ["Tai Po Public Library reopens on 5 March 2021."]


# ---- activities ---------------------------------------------------------------------------------


async def test_a_moved_activity_names_the_time_and_place_that_no_longer_apply(
    api: Api, lending: Lending
) -> None:
    lending.registered["activity-1"] = ["p"]
    back = ActivityRescheduled.model_validate(
        {
            **library.rescheduled("activity-1", 3).model_dump(),
            "previous_starts_at": "2020-11-20T19:00:00+08:00",
            "previous_venue": "Gallery",
        }
    )
    await library.hear(api, back, "e-1", library.FEBRUARY_1)
    assert await library.texts(api, "p") == [
        (
            "Changed: “Factory In and Out” begins on 27 November 2020 at 2:30 "
            "pm, not on 20 November 2020 at 7:00 pm as announced before. Venue: Hall. "
            "The venue announced before, Gallery, has changed. "
            "If you can't come, please withdraw, so that the next person gets your place."
        )
    ]


# ---- items to collect ---------------------------------------------------------------------------


async def test_a_ready_item_at_a_closed_library_names_the_first_collection_day(
    api: Api,
) -> None:
    await library.register(api, "TPO")
    await library.hear(api, library.title(), "e-t", library.FEBRUARY_1)
    # A Sunday: the library, which is closed on Sundays, opens on the Monday after.
    made = await library.close(
        api, "2020-12-09T18:00:00+08:00", branches=["TPO"], reopened_on="2021-02-21", **FROM
    )
    assert made.status == 201, made.body
    until = {"state": "ready", "shelf_until": date(2021, 2, 27)}
    later = {"state": "ready", "shelf_until": MARCH_5}
    await library.hear(api, library.hold(HoldReady, 3, **until), "e-1", library.FEBRUARY_17)
    await library.hear(api, library.hold(HoldChanged, 4, **later), "e-2", FEBRUARY_18)
    await library.hear(api, library.hold(HoldReady, 5, **later), "e-3", "2021-02-22T10:00:00+08:00")
    assert await library.texts(api, "p") == [
        "“Jane Eyre” can be collected at Tai Po Public Library until 5 March 2021.",
        (
            "“Jane Eyre” is kept for you at Tai Po Public Library. You can collect it from "
            "22 February 2021, when the library is open again, until 5 March 2021."
        ),
        (
            "“Jane Eyre” can be collected at Tai Po Public Library from 22 February 2021, when the "
            "library is open again, until 27 February 2021."
        ),
    ]


# ---- order --------------------------------------------------------------------------------------


async def loans_in_inbox(api: Api, limit: int) -> list[str]:
    """Return the loans in the inbox of patron p, newest first, read page by page."""
    found: list[str] = []
    cursor = ""
    while len(found) < 100:
        path = f"/v1/me/inbox?limit={limit}{cursor}"
        page = (await api.insist("GET", path, as_=library.patron("p"))).json()
        found += [item["about"]["loan_id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&after={page['next']}"
    return found


@pytest.mark.parametrize("limit", [1, 3])
async def test_simultaneous_notifications_are_in_the_order_of_their_events(
    api: Api, limit: int
) -> None:
    happened = [new_id() for _ in range(7)]
    for event_id in random.Random(7).sample(happened, len(happened)):  # noqa: S311 - an order
        await library.hear(
            api,
            library.moved(f"loan-{happened.index(event_id)}", "p"),
            event_id,
            library.FEBRUARY_17,
        )
    assert await loans_in_inbox(api, limit) == [f"loan-{number}" for number in reversed(range(7))]


async def test_notifications_without_an_event_time_are_still_listed_in_pages(
    api: Api,
) -> None:
    for number in range(5):
        await library.hear(
            api, library.moved(f"loan-{number}", "p"), f"e-{number}", library.FEBRUARY_17
        )
    kept = api.app.state.database.notifications
    old = {"about.loan_id": {"$in": ["loan-0", "loan-2", "loan-4"]}}
    await kept.update_many(old, {"$unset": {"happened": ""}})
    found = await loans_in_inbox(api, 1)
    assert found[:2] == ["loan-3", "loan-1"]
    assert sorted(found) == [f"loan-{number}" for number in range(5)]
