"""Titles in volumes: a hold is for a title without volumes, for one volume, or for one copy."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest

from services.circulation.holds.store import positions
from services.circulation.rules.hold import Hold
from services.circulation.rules.title import volume_key
from shared.ids import new_id
from shared.mongo import to_document
from tests.circulation.desk import STAFF, Desk, noon
from tests.circulation.shelf import DAY, faults, now, people, run_job
from tests.circulation.shelf import reserve as reserve_title
from tests.support import Answer, token
from tests.targets import TARGETS, compete


async def catalogue(desk: Desk, *volumes: str | None) -> tuple[str, list[str]]:
    """Catalogue a title with one copy of each of these volumes; return its id and the barcodes."""
    barcodes = [f"V{new_id()[-12:]}" for _ in volumes]
    copies = [
        {"barcode": barcode, "category": "adult", "branch": "HKCL", "volume": volume}
        for barcode, volume in zip(barcodes, volumes, strict=True)
    ]
    body = {"title": "The Set", "authors": [], "kind": "book", "copies": copies}
    answer = await desk.api.post("/v1/titles", body, as_=STAFF)
    assert answer.status == 201, answer.json()
    return answer.json()["id"], barcodes


async def reserve(desk: Desk, patron: str, **wanted: Any) -> Answer:
    body = {"pickup_branch": "HKCL", **wanted}
    return await desk.api.insist("POST", "/v1/holds", body, as_=token(patron), at=noon(DAY))


async def hold(desk: Desk, patron: str, **wanted: Any) -> dict[str, Any]:
    answer = await reserve(desk, patron, **wanted)
    assert answer.status == 201, answer.json()
    made: dict[str, Any] = answer.json()
    return made


def test_volumes_are_in_the_order_of_their_numbers() -> None:
    labels = ["v. 10", "v. 2", "v. 1, pt. 2", "v. 1", "V. 3"]
    assert sorted(labels, key=volume_key) == ["v. 1", "v. 1, pt. 2", "v. 2", "V. 3", "v. 10"]
    chinese = ["第十二冊", "第二冊", "第十冊", "第２０冊", "第一冊", "第二十一冊"]
    assert sorted(chinese, key=volume_key) == [
        "第一冊", "第二冊", "第十冊", "第十二冊", "第２０冊", "第二十一冊",
    ]  # fmt: skip
    assert sorted(["下冊", "中冊", "上冊"], key=volume_key) == ["上冊", "中冊", "下冊"]


async def test_a_title_in_volumes_lists_them_and_asks_which_one(desk: Desk) -> None:
    title, barcodes = await catalogue(desk, "v. 10", "v. 2", "v. 2")
    await desk.lend(barcodes[1])
    found = (await desk.api.get(f"/v1/titles/{title}")).json()
    assert found["volume_needed"] is True
    assert found["volumes"] == [
        {"volume": "v. 2", "copies": 2, "available": 1},
        {"volume": "v. 10", "copies": 1, "available": 1},
    ]
    refused = await reserve_title(desk, "p1", title)
    assert (refused.status, refused.json()["code"]) == (409, "which-volume")
    assert refused.json()["volumes"] == ["v. 2", "v. 10"]
    assert "v. 2, v. 10" in refused.json()["detail"]
    missing = await reserve(desk, "p1", title_id=title, volume="v. 3")
    assert (missing.status, missing.json()["code"]) == (409, "no-such-volume")


async def test_a_returned_volume_serves_the_first_hold_on_it_and_the_others_keep_their_place(
    desk: Desk,
) -> None:
    await people(desk, "p2", "p3", "p4")
    title, (first, second) = await catalogue(desk, "v. 1", "v. 2")
    await desk.lend(first, second)
    of_first = await hold(desk, "p2", title_id=title, volume="v. 1")
    of_second = await hold(desk, "p3", title_id=title, volume="v. 2")
    later = await hold(desk, "p4", title_id=title, volume="v. 2")
    assert [one["position"] for one in (of_first, of_second, later)] == [1, 1, 2]
    [returned] = await desk.take_back(second, on=DAY)
    assert returned["hold"]["id"] == of_second["id"]
    assert (await now(desk, of_first))["state"] == "waiting"
    assert (await now(desk, later))["position"] == 1
    assert await run_job(desk, DAY) == 0
    assert await faults(desk) == []


async def test_a_title_with_a_set_and_volumes_keeps_them_apart(desk: Desk) -> None:
    await people(desk, "p2")
    title, (complete, part) = await catalogue(desk, None, "v. 1")
    found = (await desk.api.get(f"/v1/titles/{title}")).json()
    assert found["volume_needed"] is False
    whole = await hold(desk, "p2", title_id=title)
    assert (whole["state"], whole["volume"]) == ("to-fetch", None)
    waits = await hold(desk, "p1", title_id=title)
    assert (waits["state"], waits["position"]) == ("waiting", 1)
    taken = await hold(desk, "p1", title_id=title, volume="v. 1")
    assert (await now(desk, taken))["state"] == "to-fetch"
    copies = {copy["barcode"]: copy["state"] for copy in found["copies"]}
    assert copies == {complete: "available", part: "available"}
    assert await faults(desk) == []


async def test_a_patron_has_one_hold_on_each_volume(desk: Desk) -> None:
    title, barcodes = await catalogue(desk, "v. 1", "v. 2", "v. 3")
    await desk.lend(barcodes[2])
    for volume in ("v. 1", "v. 2"):
        await hold(desk, "p1", title_id=title, volume=volume)
    again = await reserve(desk, "p1", title_id=title, volume="v. 2")
    assert again.json()["code"] == "hold-exists"
    single = await reserve(desk, "p1", barcode=barcodes[1])
    assert single.json()["code"] == "hold-exists"
    lent = await reserve(desk, "p1", title_id=title, volume="v. 3")
    assert lent.json()["code"] == "title-on-loan"


async def test_a_hold_on_one_copy_is_served_by_no_other(desk: Desk) -> None:
    await people(desk, "p2", "p3")
    title, (wanted, other) = await catalogue(desk, None, None)
    await desk.lend(wanted, other)
    single = await hold(desk, "p2", barcode=wanted)
    any_copy = await hold(desk, "p3", title_id=title)
    assert (single["position"], any_copy["position"]) == (1, 2)
    [returned] = await desk.take_back(other, on=DAY)
    assert returned["hold"]["id"] == any_copy["id"]
    [returned] = await desk.take_back(wanted, on=DAY)
    assert returned["hold"]["id"] == single["id"]
    assert await faults(desk) == []


async def test_a_copy_that_is_not_lent_cannot_be_reserved(desk: Desk) -> None:
    _, (lost, _) = await catalogue(desk, None, None)
    await desk.api.post(f"/v1/copies/{lost}/removal", {"fault": "withdrawn"}, as_=STAFF)
    assert (await reserve(desk, "p1", barcode=lost)).json()["code"] == "copy-state"
    assert (await reserve(desk, "p1", barcode="none")).json()["code"] == "no-such-copy"


@pytest.mark.parametrize(
    "wanted",
    [{}, {"title_id": "t", "barcode": "B1"}, {"barcode": "B1", "volume": "v. 1"}],
)
async def test_a_hold_names_one_target(desk: Desk, wanted: dict[str, Any]) -> None:
    assert (await reserve(desk, "p1", **wanted)).status == 422


async def test_a_volume_is_renewed_while_others_wait_for_another_volume(desk: Desk) -> None:
    await people(desk, "p2")
    title, (first, second) = await catalogue(desk, "v. 1", "v. 2")
    lent = await desk.lend(first, second)
    await hold(desk, "p2", title_id=title, volume="v. 2")
    paths = [f"/v1/loans/{one['loan']['id']}/renewals" for one in lent]
    answers = [await desk.api.post(path, as_=STAFF, at=noon("2020-11-25")) for path in paths]
    assert [answer.status for answer in answers] == [200, 409]
    assert answers[1].json()["code"] == "hold-waiting"


async def test_borrowing_another_volume_leaves_the_hold_open(desk: Desk) -> None:
    title, (first, second, third) = await catalogue(desk, "v. 1", "v. 2", "v. 2")
    held = await hold(desk, "p1", title_id=title, volume="v. 2")
    await desk.lend(first)
    assert (await now(desk, held))["state"] == "to-fetch"
    other = third if (await now(desk, held))["copy_id"] == await _id(desk, second) else second
    await desk.lend(other)
    ended = await now(desk, held)
    assert ended["state"] == "cancelled"
    assert await faults(desk) == []


async def _id(desk: Desk, barcode: str) -> str:
    copy = await desk.api.get(f"/v1/copies/{barcode}", as_=STAFF)
    return str(copy.json()["copy_id"])


async def test_a_copy_that_is_for_a_hold_keeps_its_volume(desk: Desk) -> None:
    title, (barcode, _) = await catalogue(desk, "v. 1", None)

    async def correct(volume: str | None) -> Answer:
        path, body = f"/v1/copies/{barcode}", {"volume": volume}
        return await desk.api.insist("PATCH", path, body, as_=STAFF, at=noon(DAY))

    assert (await correct("v. 2")).json()["volume"] == "v. 2"
    held = await hold(desk, "p1", title_id=title, volume="v. 2")
    assert held["state"] == "to-fetch"
    assert (await correct("v. 3")).json()["code"] == "copy-state"
    await desk.api.insist("DELETE", f"/v1/holds/{held['id']}", as_=token("p1"), at=noon(DAY))
    assert (await correct(None)).json()["volume"] is None


async def test_only_holds_that_compete_for_a_copy_count_in_a_position(desk: Desk) -> None:
    queue = list(enumerate([*TARGETS, *reversed(TARGETS)], 1))
    holds = [
        Hold(
            id=f"h{place}",
            patron_id=f"p{place}",
            pickup_branch="HKCL",
            place=place,
            placed_at=datetime(2020, 11, 20, tzinfo=UTC),
            **asdict(target),
        )
        for place, target in queue
    ]
    database = desk.api.app.state.database
    await database.holds.insert_many([to_document(one) for one in holds])
    assert await positions(database, holds) == {
        f"h{place}": sum(before <= place and compete(target, other) for before, other in queue)
        for place, target in queue
    }
