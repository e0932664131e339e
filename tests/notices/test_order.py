"""Events in any order, several times and at once end in the same inbox."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from services.notices.app import create_app
from services.notices.messages import consumers as messages_consumers
from services.notices.settings import Settings
from tests.notices import library
from tests.notices.kinds.examples import INBOXES, Happened, answers, story
from tests.notices.lending import Lending
from tests.support import Api, served


async def test_late_preferences_add_the_notifications_of_events_since_then(api: Api) -> None:
    await library.register(api)
    await library.hear(api, library.reopened("HKCL"), "e-1", library.FEBRUARY_17)
    await library.hear(api, library.released("activity-1"), "e-2", library.FEBRUARY_17)
    await library.hear(api, library.reopened("TPO"), "e-3", "2021-03-01T10:00:00+08:00")
    await library.hear(api, library.prefers("p", 2, ("TPO",)), "e-4", library.FEBRUARY_20)
    assert [item["kind"] for item in await library.inbox(api, "p")] == ["branch.reopened"]
    await library.hear(
        api, library.prefers("p", 1, ("HKCL", "TPO"), ("talk",)), "e-5", library.FEBRUARY_1
    )
    found = {(item["kind"], item["about"].get("branch")) for item in await library.inbox(api, "p")}
    assert found == {
        ("branch.reopened", "HKCL"),
        ("recording.released", None),
        ("branch.reopened", "TPO"),
    }
    assert (await library.inbox(api, "p"))[-1]["at"] == "2021-02-17T08:00:00Z"


async def test_a_new_follower_of_a_branch_is_notified_of_its_cancelled_reopening(
    api: Api,
) -> None:
    await library.register(api)
    await library.hear(api, library.prefers("p", 1, ("TPO",)), "e-1", library.FEBRUARY_1)
    await library.hear(api, library.prefers("q", 1, ("HKCL",)), "e-2", library.FEBRUARY_1)
    await library.hear(api, library.reopened("TPO"), "e-3", library.FEBRUARY_17)
    await library.hear(api, library.changed("TPO", "amended"), "e-4", library.FEBRUARY_17)
    for _ in range(2):
        await library.hear(
            api, library.changed("TPO", "reopening-taken-back", 5), "e-5", library.FEBRUARY_17
        )
    kinds = [item["kind"] for item in await library.inbox(api, "p")]
    assert sorted(kinds) == ["branch.closure-changed", "branch.reopened"]
    assert await library.inbox(api, "q") == []


async def test_a_notification_is_removed_when_late_preferences_show_the_branch_was_unfollowed(
    api: Api,
) -> None:
    await library.register(api)
    await library.hear(api, library.prefers("p", 1, ("HKCL",)), "e-1", library.FEBRUARY_1)
    await library.hear(api, library.reopened("HKCL"), "e-3", library.FEBRUARY_17)
    (item,) = await library.inbox(api, "p")
    await library.hear(api, library.prefers("p", 2), "e-2", "2021-02-02T10:00:00+08:00")
    assert await library.inbox(api, "p") == []
    gone = await api.post(f"/v1/me/inbox/{item['id']}/read", as_=library.patron("p"))
    assert gone.status == 404
    told = await library.events(api, "notification.delivered", "notification.read")
    assert [(e["topic"], e["version"], e["read"]) for e in told] == [
        ("notification.delivered", 1, False),
        ("notification.read", 2, True),
    ]


async def test_a_concurrent_event_and_preference_change_notify_the_follower(
    api: Api, replica: Api
) -> None:
    for round_ in range(20):
        name = f"p{round_}"
        await asyncio.gather(
            library.hear(
                api, library.prefers(name, 1, ("TPO",)), f"e-p{round_}", library.FEBRUARY_1
            ),
            library.hear(replica, library.reopened("TPO"), f"e-r{round_}", library.FEBRUARY_17),
        )
    told = await library.events(api, "notification.delivered")
    counts = [sum(e["patron_id"] == f"p{number}" for e in told) for number in range(20)]
    # Each patron known by now was notified of all reopenings, earlier and later.
    assert counts == [20] * 20


async def test_an_erased_patron_has_no_inbox_and_gets_no_notification(
    api: Api, lending: Lending
) -> None:
    lending.owes("loan-1", 750)
    await library.hear(api, library.prefers("p", 1, ("HKCL",)), "e-1", library.FEBRUARY_1)
    await library.hear(api, library.moved("loan-1", "p"), "e-2", library.FEBRUARY_1)
    await library.hear(api, library.erased("p"), "e-3", library.FEBRUARY_17)
    assert await library.inbox(api, "p") == []
    await library.hear(api, library.overdue("loan-1", "p"), "e-4", library.FEBRUARY_17)
    await library.hear(api, library.registered("p", 2), "e-5", library.FEBRUARY_17)
    await library.hear(api, library.prefers("p", 2, ("HKCL",)), "e-6", library.FEBRUARY_17)
    await library.hear(api, library.reopened("HKCL"), "e-7", library.FEBRUARY_17)
    assert await library.inbox(api, "p") == []
    assert await api.app.state.database.notifications.count_documents({}) == 0


async def test_an_erasure_during_notifications_leaves_no_data(api: Api, replica: Api) -> None:
    for round_ in range(10):
        name = f"p{round_}"
        await asyncio.gather(
            *(
                library.hear(
                    api, library.moved(f"loan-{n}", name), f"e-{round_}-{n}", library.FEBRUARY_1
                )
                for n in range(4)
            ),
            library.hear(replica, library.erased(name), f"e-{round_}", library.FEBRUARY_1),
        )
    assert await api.app.state.database.notifications.count_documents({}) == 0


async def play(
    settings: Settings, order: Callable[[list[Happened]], list[Happened]]
) -> dict[str, Any]:
    """Return the state after the story in some order: inboxes and unread notifications."""
    async with served(create_app, settings) as api:
        await library.register(api)
        for happened in order(story()):
            await library.hear(api, happened.event, happened.id, happened.at)
        latest: dict[str, dict[str, Any]] = {}
        told = await library.events(api, "notification.delivered", "notification.read")
        for event in told:
            known = latest.get(event["notification_id"])
            if known is None or known["version"] < event["version"]:
                latest[event["notification_id"]] = event
        unread = {
            name: sorted(
                e["notification_id"]
                for e in latest.values()
                if e["patron_id"] == name and not e["read"]
            )
            for name in ("a", "b", "d")
        }
        inboxes = {name: await library.inbox(api, name) for name in ("a", "b", "c", "d", "e")}
        # For each living patron, the published events agree with the inbox.
        assert unread == {name: sorted(i["id"] for i in inboxes[name]) for name in unread}
        left = api.app.state.database.notifications
        assert await left.count_documents({"patron_id": "c"}) == 0
        return inboxes


@pytest.mark.parametrize("seed", range(4))
async def test_events_three_times_in_any_order_give_the_same_inbox(
    settings: Settings, lending: Lending, seed: int
) -> None:
    answers(lending)
    shuffled = random.Random(seed)  # noqa: S311 - an order, not a secret

    def thrice(told: list[Happened]) -> list[Happened]:
        return shuffled.sample(told * 3, len(told) * 3)

    in_order = await play(settings, list)
    prefix = f"{settings.database_prefix}_x"
    assert await play(settings.model_copy(update={"database_prefix": prefix}), thrice) == in_order
    kinds = [[item["kind"] for item in in_order[name]] for name in ("a", "b", "c", "d", "e")]
    assert kinds == INBOXES


def test_the_story_has_every_event_type_that_notices_subscribes_to() -> None:
    assert {happened.event.topic for happened in story()} == set(
        messages_consumers.subscriptions.by_topic
    )
