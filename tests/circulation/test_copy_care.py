"""Copies are numbered on, moved and looked after; each has a past without readers."""

import asyncio
from typing import Any

import pytest

from services.circulation.refusals import FirstBarcodeNeeded, NoBarcodesLeft
from services.circulation.rules.barcode import series_of
from services.circulation.rules.copy import MOST_PAST
from tests.circulation.desk import STAFF, STATION, Desk, branch, noon
from tests.circulation.shelf import DAY, hold, title_of
from tests.support import Answer

TERMS = {"category": "adult", "branch": "HKCL"}


async def number(desk: Desk, title_id: str, count: int, first: str | None = None) -> Answer:
    body = {"count": count, "first_barcode": first, **TERMS}
    path = f"/v1/titles/{title_id}/numbered-copies"
    return await desk.api.insist("POST", path, body, as_=STAFF)


async def change(desk: Desk, barcode: str, **changes: Any) -> Answer:
    return await desk.api.patch(f"/v1/copies/{barcode}", changes, as_=STAFF, at=noon(DAY))


async def past(desk: Desk, barcode: str) -> list[tuple[str, str | None, str | None]]:
    answer = await desk.api.get(f"/v1/copies/{barcode}/history", as_=STAFF)
    return [(one["what"], one["branch"], one["came_from"]) for one in answer.json()["items"]]


def test_a_series_goes_on_after_its_greatest_number() -> None:
    series = series_of("HK-0042")
    assert (series.prefix, series.bounds) == ("HK-", ("HK-0000", "HK-9999"))
    assert [*series.after(None, 2)] == ["HK-0042", "HK-0043"]
    assert [*series.after("HK-0040", 1)] == ["HK-0042"]
    assert [*series.after("HK-0099", 2)] == ["HK-0100", "HK-0101"]
    assert [*series_of("0099").after("0998", 1)] == ["0999"]
    with pytest.raises(NoBarcodesLeft):
        [*series.after("HK-9998", 2)]
    for without in (None, "", "HK-", "12A"):
        with pytest.raises(FirstBarcodeNeeded):
            series_of(without)


async def test_new_copies_get_the_next_numbers_of_the_last_series(desk: Desk) -> None:
    [known] = await desk.copies(1)
    title = await title_of(desk, known)
    # A longer number and another prefix are other series.
    for first, given in (
        ("LF-0008", ["LF-0008", "LF-0009"]),
        (None, ["LF-0010", "LF-0011"]),
        ("LF-00001", ["LF-00001", "LF-00002"]),
        ("LF-0001", ["LF-0012", "LF-0013"]),
        ("0001", ["0001", "0002"]),
    ):
        answer = await number(desk, title, 2, first)
        assert (answer.status, answer.json()) == (201, {"barcodes": given}), first
    full = await number(desk, title, 9, "LF-9995")
    assert (full.status, full.json()["code"]) == (409, "no-barcodes-left")
    assert (await number(desk, title, 1, "LF")).json()["code"] == "first-barcode-needed"


async def test_librarians_at_the_same_moment_never_get_the_same_barcodes(
    desk: Desk, second: Desk
) -> None:
    titles = [await title_of(desk, (await desk.copies(1))[0]) for _ in range(8)]
    desks = (desk, second) * 4
    made = await asyncio.gather(
        *(number(at, title, 5, "N-001") for at, title in zip(desks, titles, strict=True))
    )
    given = [barcode for answer in made for barcode in answer.json()["barcodes"]]
    assert sorted(given) == [f"N-{n:03}" for n in range(1, 41)]


async def test_a_change_of_what_somebody_else_has_changed_is_refused(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    title = await title_of(desk, barcode)
    seen = (await desk.api.get(f"/v1/titles/{title}")).json()["version"]
    path = f"/v1/titles/{title}"
    first, late = [
        await desk.api.patch(path, {"title": name, "seen_version": seen}, as_=STAFF)
        for name in ("Kite", "Kites")
    ]
    assert (first.status, late.status, late.json()["code"]) == (200, 409, "changed-meanwhile")
    assert (await desk.api.get(path)).json()["title"] == "Kite"
    made = (await change(desk, barcode, record={"note": "Map is missing"}, seen_version=1)).json()
    assert (made["note"], made["version"]) == ("Map is missing", 2)
    assert (await change(desk, barcode, seen_version=1, volume="v. 1")).status == 409


async def test_a_copy_that_moves_is_sent_at_once_and_remembers_its_way(desk: Desk) -> None:
    await desk.hear(branch("STPL", "major"))
    [barcode] = await desk.copies(1)
    moved = (await change(desk, barcode, branch="STPL", send_now=True)).json()
    assert (moved["state"], moved["branch"], moved["bound_for"]) == ("in-transit", "STPL", "STPL")
    body = {"barcodes": [barcode], "branch": "STPL", "channel": "desk"}
    await desk.api.insist("POST", "/v1/returns", body, as_=STAFF, at=noon(DAY))
    assert await past(desk, barcode) == [("moved", "STPL", "HKCL"), ("owner", "STPL", "HKCL")]


async def test_a_copy_that_moves_serves_whoever_waits_first(desk: Desk) -> None:
    await desk.hear(branch("STPL", "major"))
    barcodes = await desk.copies(2)
    title = await title_of(desk, barcodes[0])
    await desk.patron("p2")
    await desk.lend(*barcodes, on=DAY)
    held = await hold(desk, "p2", title, at="HKCL")
    # One on loan moves when it is back.
    lent = (await change(desk, barcodes[0], branch="STPL", send_now=True)).json()
    assert (lent["state"], lent["branch"]) == ("on-loan", "STPL")
    [back] = await desk.take_back(barcodes[0], on=DAY)
    assert back["copy"]["state"] == "on-shelf", held
    [home] = await desk.take_back(barcodes[1], on=DAY)
    assert home["copy"]["state"] == "available"


async def test_the_past_of_a_copy_names_no_reader_and_has_an_end(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    for _ in range(MOST_PAST):
        for step, body in (("removal", {"fault": "damaged"}), ("recovery", {"branch": "HKCL"})):
            path = f"/v1/copies/{barcode}/{step}"
            assert (await desk.api.post(path, body, as_=STAFF, at=noon("2020-11-02"))).status == 200
    await desk.lend(barcode, on=DAY)
    await desk.take_back(barcode, on=DAY)
    [*_] = await desk.lend(barcode, on=DAY)
    found = await past(desk, barcode)
    assert found[:2] == [("lent", "HKCL", None), ("returned", None, None)]
    assert found[2:4] == [("recovered", "HKCL", None), ("damaged", "HKCL", None)]
    assert len(found) == MOST_PAST + 2
    text = (await desk.api.get(f"/v1/copies/{barcode}/history", as_=STAFF)).body
    assert b"p1" not in text
    assert (await desk.api.get(f"/v1/copies/{barcode}/history", as_=STATION)).status == 403
    stored = await desk.api.app.state.database.copies.find_one({"barcode": barcode})
    assert "p1" not in str(stored)


async def test_a_copy_without_a_past_stores_none(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    await desk.lend(barcode, on=DAY)
    await desk.take_back(barcode, on=DAY)
    stored = await desk.api.app.state.database.copies.find_one({"barcode": barcode})
    assert "past" not in stored
