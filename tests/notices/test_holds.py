"""Notifications about holds, and the hold events that cause none."""

from datetime import date

from shared.contracts import circulation
from tests.notices.library import hear, hold, inbox, register, registered, title
from tests.support import Api

DAY = "2021-02-20T10:00:00+08:00"


async def test_a_patron_is_notified_when_a_reserved_item_is_ready_and_when_it_expires(
    api: Api,
) -> None:
    await register(api, "TPO")
    await hear(api, title(), "e-t", DAY)
    told = [
        hold(circulation.HoldPlaced, 1),
        hold(circulation.HoldChanged, 2, state="in-transit"),
        hold(circulation.HoldReady, 3, state="ready", shelf_until=date(2021, 2, 27)),
        hold(
            circulation.HoldChanged,
            4,
            state="ready",
            shelf_until=date(2021, 3, 9),
            previous_shelf_until=date(2021, 2, 27),
        ),
        hold(circulation.HoldExpired, 5, state="expired", uncollected=True),
        hold(circulation.HoldCancelled, 2, hold_id="hold-2", state="cancelled", by="staff"),
        hold(circulation.HoldCancelled, 2, hold_id="hold-3", state="cancelled", by="patron"),
    ]
    for number, event in enumerate(told):
        if event.topic != "hold.placed":
            at = f"2021-02-20T10:0{number}:00+08:00"
            await hear(api, event, f"e-{number}", at)
            await hear(api, event, f"e-{number}", at)  # an event may come twice
    said = [item["text"] for item in reversed(await inbox(api, "p"))]
    kept = "“Jane Eyre” is kept for you at Tai Po Public Library until 9 March 2021"
    left = "“Jane Eyre” was not collected at Tai Po Public Library in time"
    assert said == [
        "“Jane Eyre” can be collected at Tai Po Public Library until 27 February 2021.",
        f"{kept}, because the library is closed for a time.",
        f"{left}. Your reservation has ended.",
        "The library has cancelled your reservation: “Jane Eyre”.",
    ]


async def test_a_hold_notification_is_in_the_patrons_chosen_language(api: Api) -> None:
    await hear(api, registered("p", language="zh-Hant"), "e-p", DAY)
    ready = hold(circulation.HoldReady, 2, state="ready", shelf_until=date(2021, 2, 27))
    await hear(api, ready, "e-1", DAY)
    (item,) = await inbox(api, "p")
    assert item["text"] == "您可於2021年2月27日或之前到TPO領取您預約的一項資料。"
