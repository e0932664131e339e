"""Patrons with linked cards renew, reserve and cancel for each other; nobody else does."""

import random
from typing import Any

import orjson
import pytest

from services.circulation.borrowers.consumers import keep_link
from shared.contracts.accounts import LinkSnapshot, PatronLinked, PatronUnlinked
from tests import samples
from tests.circulation.desk import Desk, noon
from tests.support import Answer, token

MEI, TAI = token("mei"), token("tai")


def sides(linked: bool = True) -> list[LinkSnapshot]:
    """Return the two events of a link, or of its end."""
    pairs = (("link-1", "mei", "tai"), ("link-2", "tai", "mei"))
    if linked:
        return [
            samples.link(PatronLinked, 1, key, patron_id=one, member_id=other)
            for key, one, other in pairs
        ]
    return [
        samples.link(
            PatronUnlinked, 2, key, patron_id=one, member_id=other, linked=False, by="member"
        )
        for key, one, other in pairs
    ]


async def hear(desk: Desk, *told: LinkSnapshot) -> None:
    for event in told:
        await keep_link(event, desk.run())


@pytest.fixture
async def family(desk: Desk) -> Desk:
    """A desk with two patrons whose cards are linked."""
    for patron in ("mei", "tai"):
        await desk.patron(patron)
    await hear(desk, *sides())
    return desk


async def title_of(desk: Desk) -> str:
    [barcode] = await desk.copies(1)
    answer = await desk.api.get(f"/v1/copies/{barcode}", as_=token("s1", roles=["staff"]))
    return str(answer.json()["title_id"])


async def reserve(desk: Desk, title: str, for_: str, as_: str) -> Answer:
    body = {"title_id": title, "pickup_branch": "HKCL", "patron_id": for_}
    return await desk.api.post("/v1/holds", body, as_=as_, at=noon("2020-11-21"))


async def renew(desk: Desk, loan: str, as_: str, query: str = "") -> Answer:
    path = f"/v1/loans/{loan}/renewals{query}"
    return await desk.api.post(path, as_=as_, at=noon("2020-11-25"))


async def acting(desk: Desk, topic: str) -> list[Any]:
    """Return the linked patron named by each event of a topic."""
    rows = desk.api.app.state.database.outbox.find({"topic": topic}).sort("_id", 1)
    return [orjson.loads(row["body"])["acting_patron_id"] async for row in rows]


async def test_linked_patrons_renew_reserve_and_cancel_for_each_other(family: Desk) -> None:
    loan = await family.loan(to="mei")
    preview = await renew(family, loan["id"], TAI, "?preview=true")
    assert (preview.status, preview.json()["fine_cents"]) == (200, 0)
    renewed = await renew(family, loan["id"], TAI)
    assert (renewed.status, renewed.json()["loan"]["patron_id"]) == (200, "mei")
    title = await title_of(family)
    reserved = await reserve(family, title, "mei", TAI)
    assert (reserved.status, reserved.json()["patron_id"]) == (201, "mei")
    hold = reserved.json()["id"]
    cancelled = await family.api.delete(f"/v1/holds/{hold}", as_=TAI, at=noon("2020-11-22"))
    assert cancelled.status == 200
    for topic in ("loan.renewed", "hold.placed", "hold.cancelled"):
        assert await acting(family, topic) == ["tai"]
    assert (await reserve(family, title, "mei", MEI)).status == 201
    assert await acting(family, "hold.placed") == ["tai", None]


async def test_a_linked_patron_can_do_nothing_else(family: Desk) -> None:
    loan = await family.loan(to="mei")
    hold = (await reserve(family, await title_of(family), "mei", MEI)).json()["id"]
    calls: tuple[tuple[str, str, Any], ...] = (
        ("GET", f"/v1/loans/{loan['id']}", None),
        ("GET", f"/v1/loans/{loan['id']}/fine-statement", None),
        ("POST", f"/v1/loans/{loan['id']}/claim", None),
        ("POST", f"/v1/loans/{loan['id']}/loss", None),
        ("GET", f"/v1/holds/{hold}", None),
        ("PATCH", f"/v1/holds/{hold}", {"frozen": True}),
    )
    for method, path, body in calls:
        answer = await family.api.call(method, path, body, as_=TAI, at=noon("2020-11-25"))
        assert answer.status == 404, path
    some = {"loan_ids": [loan["id"]]}
    [attempt] = (await family.api.post("/v1/me/renewals", some, as_=TAI)).json()["results"]
    assert attempt["problem"]["code"] == "no-such-loan"


async def test_a_patron_without_the_link_is_refused_everything(family: Desk) -> None:
    await family.patron("other")
    loan = await family.loan(to="mei")
    title = await title_of(family)
    hold = (await reserve(family, title, "mei", MEI)).json()["id"]

    async def codes(as_: str) -> list[str]:
        answers = [
            await renew(family, loan["id"], as_),
            await reserve(family, title, "mei", as_),
            await family.api.delete(f"/v1/holds/{hold}", as_=as_),
        ]
        return [answer.json()["code"] for answer in answers]

    refused = ["no-such-loan", "no-such-patron", "no-such-hold"]
    assert await codes(token("other")) == refused
    # The end of either side is enough, whichever of the two events comes first.
    await hear(family, sides(linked=False)[1])
    assert await codes(TAI) == refused
    assert (await renew(family, loan["id"], MEI)).status == 200


@pytest.mark.parametrize("seed", range(5))
async def test_an_ended_link_stays_ended_in_any_order_of_its_events(
    family: Desk, seed: int
) -> None:
    loan = await family.loan(to="mei")
    told = [*sides(), *sides(linked=False)] * 3
    random.Random(seed).shuffle(told)  # noqa: S311 - a seed, not a secret
    await hear(family, *told)
    assert (await renew(family, loan["id"], TAI)).status == 404
    database = family.api.app.state.database
    async for link in database.links.find({}):
        assert (link["patron_id"], link["member_id"]) == ("", "")
        assert link["ended_at"] is not None


async def test_a_hold_placed_for_another_counts_for_that_patron(family: Desk) -> None:
    """The limits are those of the patron of the hold."""
    titles = [await title_of(family) for _ in range(2)]
    for title in titles:
        assert (await reserve(family, title, "mei", TAI)).status == 201
    again = await reserve(family, titles[0], "mei", TAI)
    assert again.json()["code"] == "hold-exists"
    assert (await reserve(family, titles[0], "tai", TAI)).status == 201
