"""What a patron is told of a place in an activity."""

from tests.notices.library import announced, confirmed, hear, inbox, registered
from tests.support import Api

DAY = "2020-11-03T10:00:00+08:00"


async def test_who_waited_is_told_of_a_place_and_who_got_one_at_once_is_not(api: Api) -> None:
    await hear(api, announced("activity-1", "Factory"), "e-1", DAY)
    await hear(api, confirmed("activity-1", "at-once", waited=False), "e-2", DAY)
    for _ in range(2):  # it may come twice
        await hear(api, confirmed("activity-1", "waited", waited=True), "e-3", DAY)
    assert await inbox(api, "at-once") == []
    (item,) = await inbox(api, "waited")
    assert item["text"] == (
        "A place has become free, and it is yours: “Factory”, on 20 November 2020 at 7:00 pm. "
        "If you cannot come, please withdraw, so that the next in line gets it."
    )
    assert item["about"] == {"activity_id": "activity-1", "title": "Factory"}


async def test_a_place_is_told_in_the_patron_s_language_with_what_is_known_by_now(
    api: Api,
) -> None:
    await hear(api, registered("p", language="zh-Hant"), "e-1", DAY)
    await hear(api, confirmed("activity-1", "p", waited=True), "e-2", DAY)
    withdraw = "如未能出席，請取消報名，讓名額轉給下一位輪候者。"
    (item,) = await inbox(api, "p")
    assert item["text"] == f"您已由候補名單獲得名額：您報名參加的一項活動。{withdraw}"
    await hear(api, announced("activity-1", "工廠"), "e-3", DAY)
    (item,) = await inbox(api, "p")
    assert item["text"] == (
        f"您已由候補名單獲得名額：《工廠》，2020年11月20日下午7時舉行。{withdraw}"
    )
