"""The inbox over HTTP: pages, reading, access and language."""

import asyncio
from typing import Any

import pytest

from tests.notices import library
from tests.notices.lending import Lending
from tests.support import Api, token


async def test_an_inbox_is_listed_newest_first_in_pages(api: Api, lending: Lending) -> None:
    lending.owes("loan-1", 750)
    await library.hear(api, library.overdue("loan-1", "p"), "e-1", library.DECEMBER_9)
    for number in range(4):
        await library.hear(
            api, library.moved(f"loan-{number}", "p"), f"e-m{number}", library.FEBRUARY_17
        )
    whole = await library.inbox(api, "p")
    assert [item["kind"] for item in whole] == ["loan.due-date-changed"] * 4 + ["loan.overdue"]
    found: list[Any] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/me/inbox?limit=2{cursor}", as_=library.patron("p"))).json()
        found += page["items"]
        if page["next"] is None:
            break
        cursor = f"&after={page['next']}"
    assert found == whole
    for wrong in ("x", "0001-01-01T00:00:00%2B14:00_x", "9999-12-31T23:59:59-12:00_e-1_x"):
        answer = await api.get(f"/v1/me/inbox?after={wrong}", as_=library.patron("p"))
        assert (answer.status, answer.json()["code"]) == (422, "bad-cursor")
    assert await library.inbox(api, "q") == []


async def test_marking_a_notification_as_read_is_idempotent(api: Api, replica: Api) -> None:
    await library.hear(api, library.moved("loan-1", "p"), "e-1", library.FEBRUARY_17)
    (item,) = await library.inbox(api, "p")
    assert not item["read"]
    path = f"/v1/me/inbox/{item['id']}/read"
    answers = await asyncio.gather(
        *((api, replica)[at % 2].insist("POST", path, as_=library.patron("p")) for at in range(20))
    )
    assert {answer.status for answer in answers} == {200}
    assert answers[0].json() == {**item, "read": True}
    assert await library.inbox(api, "p") == [{**item, "read": True}]
    told = await library.events(api, "notification.delivered", "notification.read")
    assert [(e["topic"], e["version"], e["read"], e["kind"]) for e in told] == [
        ("notification.delivered", 1, False, "loan.due-date-changed"),
        ("notification.read", 2, True, "loan.due-date-changed"),
    ]


@pytest.mark.parametrize(
    ("as_", "status"),
    [
        (None, 401),
        (token("p", audience="other"), 401),
        (token("p", expires_in=-10), 401),
        (token("s", ["staff"]), 403),
        (token("q"), 404),
    ],
    ids=["nobody", "of another system", "expired", "staff", "another patron"],
)
async def test_only_its_patron_reads_an_inbox(api: Api, as_: str | None, status: int) -> None:
    await library.hear(api, library.moved("loan-1", "p"), "e-1", library.FEBRUARY_17)
    (item,) = await library.inbox(api, "p")
    answer = await api.post(f"/v1/me/inbox/{item['id']}/read", as_=as_)
    assert answer.status == status
    listed = await api.get("/v1/me/inbox", as_=as_)
    assert listed.status == (200 if status == 404 else status)
    if status == 404:
        assert answer.json()["code"] == "no-such-notification"
        assert listed.json()["items"] == []
    assert await library.inbox(api, "p") == [item]


async def test_a_text_is_in_the_patrons_language_with_the_current_title(
    api: Api,
) -> None:
    await library.hear(api, library.moved("loan-1", "p"), "e-1", library.FEBRUARY_17)
    (item,) = await library.inbox(api, "p")
    assert item["text"].startswith("An item that you borrowed is now due on 19 February 2021")
    assert "title" not in item["about"]
    await library.hear(api, library.title(2, "Jane Eyre"), "e-2", library.FEBRUARY_17)
    await library.hear(api, library.title(1, "Jan Eir"), "e-3", library.FEBRUARY_17)
    await library.hear(api, library.registered("p", language="zh-Hant"), "e-4", library.FEBRUARY_17)
    (item,) = await library.inbox(api, "p")
    assert item["text"] == (
        "由於圖書館關閉，《Jane Eyre》的到期日由2020年12月4日改為2021年2月19日。"
    )
    assert item["about"] == {
        "loan_id": "loan-1",
        "title_id": "title-1",
        "title": "Jane Eyre",
        "due_on": "2021-02-19",
        "previous_due_on": "2020-12-04",
    }
    await library.hear(api, library.prefers("p", 1, language="zh-Hans"), "e-5", library.FEBRUARY_17)
    assert (await library.texts(api, "p"))[0].startswith("由于图书馆关闭")
