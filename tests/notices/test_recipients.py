"""The recipients of events that concern many patrons, page by page and only once."""

import asyncio
from datetime import date

import pytest

from services.notices.messages import consumers as messages_consumers
from services.notices.messages.commands.notifying import NotifyPage, begin_notifying, notify_page
from services.notices.patrons.rules import Broadcast
from shared.clock import parse_instant
from shared.owners import OwnerAway
from shared.unit_of_work import Busy, Origin, Run
from tests.notices.lending import Lending
from tests.notices.library import (
    DECEMBER_9,
    FEBRUARY_1,
    FEBRUARY_17,
    erased,
    events,
    hear,
    inbox,
    prefers,
    register,
    released,
    reopened,
    resumed,
    suspended,
    texts,
)
from tests.support import Api


async def test_a_reopening_notifies_only_the_followers_of_its_branch(api: Api) -> None:
    await register(api)
    await hear(api, prefers("a", 1, ("HKCL", "TPO")), "e-1", FEBRUARY_1)
    await hear(api, prefers("b", 1, ("TPO",), ("talk",)), "e-2", FEBRUARY_1)
    await hear(api, prefers("c", 1, ("HKCL",)), "e-3", FEBRUARY_1)
    await hear(api, prefers("c", 2), "e-4", "2021-02-02T10:00:00+08:00")
    await hear(api, reopened("HKCL"), "e-5", FEBRUARY_17)
    (item,) = await inbox(api, "a")
    assert item["text"] == "Hong Kong Central Library reopens on 19 February 2021."
    assert item["about"] == {
        "branch": "HKCL",
        "title": "Hong Kong Central Library",
        "reopened_on": "2021-02-19",
    }
    assert await inbox(api, "b") == await inbox(api, "c") == []


async def test_a_recording_notifies_the_followers_of_its_activity_type(api: Api) -> None:
    await hear(api, prefers("a", 1, (), ("exhibition", "talk")), "e-1", FEBRUARY_1)
    await hear(api, prefers("b", 1, ("HKCL",), ("exhibition",)), "e-2", FEBRUARY_1)
    await hear(api, released("activity-1"), "e-3", FEBRUARY_17)
    assert await texts(api, "a") == ["You can now watch the recording of “Factory In and Out”."]
    assert await inbox(api, "b") == []


async def test_a_suspension_notifies_every_borrower_in_scope_in_pages(
    api: Api, lending: Lending
) -> None:
    borrowers = [f"p{number:04}" for number in range(450)]
    lending.borrowers["s-1"] = borrowers
    await hear(api, erased("p0007"), "e-0", DECEMBER_9)
    await hear(api, suspended(), "e-1", DECEMBER_9)
    told = await events(api, "notification.delivered")
    assert sorted(e["patron_id"] for e in told) == [b for b in borrowers if b != "p0007"]
    assert [params for _, params in lending.asked] == [
        {"limit": "200"},
        {"limit": "200", "after": "p0199"},
        {"limit": "200", "after": "p0399"},
    ]
    assert "$" not in (await texts(api, "p0449"))[0]
    await hear(api, suspended(), "e-1", DECEMBER_9)
    assert len(lending.asked) == 3
    assert len(await events(api, "notification.delivered")) == 449


async def test_notifying_continues_where_it_stopped(api: Api, lending: Lending) -> None:
    lending.borrowers["s-1"] = [f"p{number:04}" for number in range(450)]
    lending.away_after_pages = 1
    with pytest.raises(OwnerAway):
        await hear(api, suspended(), "e-1", DECEMBER_9)
    assert len(await events(api, "notification.delivered")) == 200
    lending.away, lending.away_after_pages = False, None
    lending.asked.clear()
    await asyncio.gather(*(hear(api, suspended(), "e-1", DECEMBER_9) for _ in range(3)))
    told = [e["patron_id"] for e in await events(api, "notification.delivered")]
    assert sorted(told) == lending.borrowers["s-1"]
    assert {"limit": "200"} not in [params for _, params in lending.asked]


async def test_all_followers_are_notified_after_a_kill_between_two_pages(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages_consumers, "PAGE", 3)
    names = [f"p{number}" for number in range(8)]
    for name in names:
        await hear(api, prefers(name, 1, ("TPO",)), f"e-{name}", FEBRUARY_1)
    # State after a crash: the event is noted, and its first page of patrons is notified.
    at = parse_instant(FEBRUARY_17)
    about = {"branch": "TPO", "reopened_on": "2021-02-19"}
    broadcast = Broadcast("e-r", 1, "branch.reopened", at, about, branch="TPO")
    first_life = Run(api.app.state.unit_of_work, Origin(now=at, causation_id="e-r"), inbox="e-r")
    await first_life(begin_notifying, broadcast)
    await first_life(notify_page, NotifyPage("e-r", "", ("p0", "p1", "p2"), "p2"))
    await hear(api, reopened("TPO"), "e-r", FEBRUARY_17)
    told = await events(api, "notification.delivered")
    assert sorted(e["patron_id"] for e in told) == names


async def test_an_event_with_very_many_recipients_yields_to_others_and_continues(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages_consumers, "PAGE", 3)
    monkeypatch.setattr(messages_consumers, "PAGES_IN_HAND", 2)
    names = [f"p{number}" for number in range(8)]
    for name in names:
        await hear(api, prefers(name, 1, ("TPO",)), f"e-{name}", FEBRUARY_1)
    with pytest.raises(Busy):
        await hear(api, reopened("TPO"), "e-r", FEBRUARY_17)
    assert len(await events(api, "notification.delivered")) == 6
    await hear(api, reopened("TPO"), "e-r", FEBRUARY_17)
    told = await events(api, "notification.delivered")
    assert sorted(e["patron_id"] for e in told) == names


async def test_two_replicas_with_one_event_notify_each_patron_once(api: Api, replica: Api) -> None:
    for number in range(30):
        await hear(api, prefers(f"p{number}", 1, ("TPO",)), f"e-{number}", FEBRUARY_1)
    await asyncio.gather(
        *((hear((api, replica)[at % 2], reopened("TPO"), "e-r", FEBRUARY_17)) for at in range(6))
    )
    told = await events(api, "notification.delivered")
    assert sorted(e["patron_id"] for e in told) == sorted(f"p{number}" for number in range(30))


@pytest.mark.parametrize("resumes_on", [None, "2021-05-03"])
async def test_only_those_who_were_told_of_a_day_are_told_that_it_changed(
    api: Api, lending: Lending, resumes_on: str | None
) -> None:
    """Another suspension covered the loans of b for longer, until the announced day was dropped."""
    day = date(2020, 12, 6)
    lending.borrowers["s-1"] = ["a"]
    await hear(api, suspended(version=1, resumes_on=day), "e-1", DECEMBER_9)
    lending.borrowers["s-1"] = ["a", "b"]
    changed = suspended(version=2, resumes_on=resumes_on, previous_resumes_on=day)
    await hear(api, changed, "e-2", FEBRUARY_1)
    (told, _), (untold,) = await texts(api, "a"), await texts(api, "b")
    assert "6 December 2020 as announced before" in told
    assert "announced before" not in untold
    assert ("They restart on 3 May 2021." in untold) == bool(resumes_on)


async def test_a_withdrawn_suspension_is_not_called_announced_to_those_who_never_heard_of_it(
    api: Api, lending: Lending
) -> None:
    start = date(2020, 12, 10)
    lending.borrowers["s-1"] = ["a"]
    await hear(api, suspended(version=1), "e-1", DECEMBER_9)
    lending.borrowers["s-1"] = ["a", "b"]
    await hear(api, resumed(version=2, resumes_on=start), "e-2", FEBRUARY_1)
    (told, _), (untold,) = await texts(api, "a"), await texts(api, "b")
    assert "as announced before" in told
    assert untold.startswith("Fines count as usual for overdue days")
