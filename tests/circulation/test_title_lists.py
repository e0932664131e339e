"""Lists of titles that a patron keeps, and opens to others."""

import asyncio
from typing import Any

from services.circulation.lists.commands import make_list
from services.circulation.rules.title_list import MOST_LISTS, MOST_TITLES
from shared.contracts.accounts import PatronErased
from tests.circulation.desk import STAFF, Desk, patron
from tests.support import Answer, token

P1, P2 = token("p1"), token("p2")


async def catalogued(desk: Desk, name: str = "Harbour Lights") -> str:
    title = {"title": name, "authors": [], "kind": "book", "copies": []}
    answer = await desk.api.post("/v1/titles", title, as_=STAFF)
    return str(answer.json()["id"])


async def lists_of(desk: Desk, who: str = P1) -> list[dict[str, Any]]:
    return list((await desk.api.get("/v1/me/lists", as_=who)).json()["items"])


async def put(desk: Desk, number: int, title_id: str, who: str = P1) -> Answer:
    return await desk.api.put(f"/v1/me/lists/{number}/titles/{title_id}", as_=who)


async def test_a_title_is_saved_for_later_and_the_last_one_comes_first(desk: Desk) -> None:
    first, last = await catalogued(desk), await catalogued(desk, "Tides")
    for title_id in (first, last, first):
        assert (await put(desk, 0, title_id)).status == 200
    [later] = await lists_of(desk)
    assert [one["title"] for one in later["titles"]] == ["Tides", "Harbour Lights"]
    assert (await put(desk, 0, "nothing")).json()["code"] == "no-such-title"
    await desk.api.delete(f"/v1/me/lists/0/titles/{last}", as_=P1)
    [later] = await lists_of(desk)
    assert [one["title_id"] for one in later["titles"]] == [first]
    assert [one["titles"] for one in await lists_of(desk, P2)] == [[]]


async def test_a_list_has_a_name_and_is_of_its_patron_alone(desk: Desk) -> None:
    made = (await desk.api.post("/v1/me/lists", {"name": " To  read "}, as_=P1)).json()
    assert (made["number"], made["name"]) == (1, "To read")
    path = "/v1/me/lists/1"
    await desk.api.put(f"{path}/name", {"name": "Read"}, as_=P1)
    for method, of in (("PUT", f"{path}/name"), ("DELETE", path), ("POST", f"{path}/link")):
        body = {"name": "Mine"} if method == "PUT" else None
        assert (await desk.api.call(method, of, body, as_=P2)).status == 404
    assert [one["name"] for one in await lists_of(desk)] == ["", "Read"]
    assert (await desk.api.put("/v1/me/lists/0/name", {"name": "No"}, as_=P1)).status == 404
    assert (await desk.api.delete(path, as_=P1)).status == 204
    assert len(await lists_of(desk)) == 1


async def test_anyone_reads_an_open_list_by_its_newest_link_alone(desk: Desk) -> None:
    await put(desk, 0, await catalogued(desk))
    links = [(await desk.api.post("/v1/me/lists/0/link", as_=P1)).json()["link"] for _ in range(2)]
    old, new = [await desk.api.get(f"/v1/shared-lists/{link}") for link in links]
    assert (old.status, old.json()["code"]) == (404, "no-such-list")
    assert new.json()["titles"][0]["title"] == "Harbour Lights"
    assert set(new.json()) == {"name", "titles"}
    await desk.api.delete("/v1/me/lists/0/link", as_=P1)
    assert (await desk.api.get(f"/v1/shared-lists/{links[1]}")).status == 404


async def test_limits_hold_for_two_commands_at_once(desk: Desk, second: Desk) -> None:
    for _ in range(MOST_LISTS - 2):
        await desk.run()(make_list, "p1", "One more")
    body = {"name": "The last"}
    answers = await asyncio.gather(
        *(each.api.post("/v1/me/lists", body, as_=P1) for each in (desk, second))
    )
    assert sorted(one.status for one in answers) == [201, 409]
    assert len(await lists_of(desk)) == MOST_LISTS

    ids = [await catalogued(desk, f"Title {number}") for number in range(MOST_TITLES + 1)]
    for title_id in ids[:-2]:
        await put(desk, 0, title_id)
    answers = await asyncio.gather(
        *(put(each, 0, one) for each, one in zip((desk, second), ids[-2:], strict=True))
    )
    assert sorted(one.status for one in answers) == [200, 409]
    assert len((await lists_of(desk))[0]["titles"]) == MOST_TITLES


async def test_an_erased_patron_has_no_lists(desk: Desk) -> None:
    await put(desk, 0, await catalogued(desk))
    link = (await desk.api.post("/v1/me/lists/0/link", as_=P1)).json()["link"]
    gone = patron(version=2, status="erased", card_digest="")
    await desk.hear(PatronErased(**gone.model_dump()))
    assert (await desk.api.get(f"/v1/shared-lists/{link}")).status == 404
    assert (await lists_of(desk))[0]["titles"] == []
