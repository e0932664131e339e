"""Notifications about an activity to its registered patrons."""

import pytest

from shared.owners import OwnerAway
from tests.notices import library
from tests.notices.lending import Lending
from tests.support import Api

DAY = "2020-11-03T10:00:00+08:00"


async def test_only_a_patron_who_waited_is_notified_of_a_place(api: Api) -> None:
    await library.hear(api, library.announced("activity-1", "Factory"), "e-1", DAY)
    await library.hear(api, library.confirmed("activity-1", "at-once", waited=False), "e-2", DAY)
    for _ in range(2):  # an event may come twice
        await library.hear(api, library.confirmed("activity-1", "waited", waited=True), "e-3", DAY)
    assert await library.inbox(api, "at-once") == []
    (item,) = await library.inbox(api, "waited")
    assert item["text"] == (
        "You have a place now: “Factory”, on 20 November 2020 at 7:00 pm. "
        "If you can't come, please withdraw, so that the next person gets your "
        "place."
    )
    assert item["about"] == {"activity_id": "activity-1", "title": "Factory", "turn": 3}


async def test_a_place_notification_is_in_the_patrons_language_with_current_facts(
    api: Api,
) -> None:
    await library.hear(api, library.registered("p", language="zh-Hant"), "e-1", DAY)
    await library.hear(api, library.confirmed("activity-1", "p", waited=True), "e-2", DAY)
    withdraw = "如未能出席，請取消報名，讓名額轉給下一位輪候者。"
    (item,) = await library.inbox(api, "p")
    assert item["text"] == f"您已由候補名單獲得名額：您報名參加的一項活動。{withdraw}"
    await library.hear(api, library.announced("activity-1", "工廠"), "e-3", DAY)
    (item,) = await library.inbox(api, "p")
    assert item["text"] == (
        f"您已由候補名單獲得名額：《工廠》，2020年11月20日下午7時舉行。{withdraw}"
    )


async def test_registered_patrons_are_notified_of_the_new_time_and_place(
    api: Api, lending: Lending
) -> None:
    lending.registered["activity-1"] = [f"p{number:03}" for number in range(250)]
    await library.hear(api, library.rescheduled("activity-1"), "e-1", DAY)
    await library.hear(api, library.announced("activity-1", "As it was before"), "e-2", DAY)
    await library.hear(api, library.rescheduled("activity-1"), "e-1", DAY)
    for patron in ("p000", "p199", "p200", "p249"):
        (item,) = await library.inbox(api, patron)
        assert item["text"] == (
            "Changed: “Factory In and Out” begins on 27 November 2020 at 2:30 pm. "
            "Venue: Hall. If you can't come, please withdraw, so that the next person gets your "
            "place."
        )
    assert await library.inbox(api, "p250") == []


async def test_notifying_continues_where_it_stopped_when_events_was_away(
    api: Api, lending: Lending
) -> None:
    lending.registered["activity-1"] = ["p1"]
    lending.away = True
    with pytest.raises(OwnerAway):
        await library.hear(api, library.rescheduled("activity-1"), "e-1", DAY)
    assert await library.inbox(api, "p1") == []
    lending.away = False
    await library.hear(api, library.rescheduled("activity-1"), "e-1", DAY)
    assert len(await library.inbox(api, "p1")) == 1


async def test_a_cancellation_notifies_registered_patrons_but_not_those_who_withdrew(
    api: Api,
) -> None:
    await library.hear(api, library.announced("activity-1", "Factory"), "e-1", DAY)
    for patron, by in (("stays", "activity"), ("withdrew", "patron"), ("gone", "erased")):
        for _ in range(2):
            event = library.called_off("activity-1", patron, by)  # type: ignore[arg-type]
            await library.hear(api, event, f"e-{patron}", DAY)
    assert await library.inbox(api, "withdrew") == await library.inbox(api, "gone") == []
    (item,) = await library.inbox(api, "stays")
    assert item["text"] == (
        "Cancelled: “Factory”, on 20 November 2020 at 7:00 pm. Your registration has ended."
    )
