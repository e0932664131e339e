"""Check-outs that a station made offline are recorded later, and none is lost."""

import asyncio
from typing import Any

import pytest

from shared.contracts.accounts import PatronBlocked
from shared.ids import card_digest
from tests.circulation.desk import KEY, STAFF, STATION, Desk, card_of, closure, noon
from tests.circulation.desk import branch as told
from tests.support import Answer, token

NIGHT = "2020-11-19T21:30:00+08:00"


async def report(desk: Desk, *barcodes: str, of: str = "p1", **more: Any) -> Answer:
    """Send the station's report of an offline check-out, on the morning of the 20th."""
    body = {"card_number": card_of(of), "barcodes": barcodes, "branch": "HKCL", "at": NIGHT}
    sent = {**body, "offline": True, **more}
    return await desk.api.insist("POST", "/v1/checkouts", sent, as_=STATION, at=noon("2020-11-20"))


async def results(desk: Desk, *barcodes: str, **more: Any) -> list[dict[str, Any]]:
    answer = await report(desk, *barcodes, **more)
    assert answer.status == 200, answer.json()
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


async def conflicts(desk: Desk, query: str = "") -> list[dict[str, Any]]:
    answer = await desk.api.get(f"/v1/offline-conflicts{query}", as_=STAFF)
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def block(desk: Desk) -> None:
    await desk.hear(
        PatronBlocked(
            version=2,
            patron_id="p1",
            category="adult",
            home_branch="HKCL",
            language="en",
            status="blocked",
            card_digest=card_digest(card_of("p1"), KEY),
        )
    )


async def test_an_allowed_offline_check_out_starts_on_its_true_day_without_a_conflict(
    desk: Desk,
) -> None:
    [barcode] = await desk.copies(1)
    [result] = await results(desk, barcode)
    assert (result["ok"], result["problem"]) == (True, None)
    assert (result["loan"]["borrowed_on"], result["loan"]["due_on"]) == ("2020-11-19", "2020-12-03")
    assert await conflicts(desk) == []


async def test_an_offline_check_out_keeps_the_due_date_that_its_station_promised(
    desk: Desk,
) -> None:
    [barcode] = await desk.copies(1)
    [result] = await results(desk, barcode, promised_due="2020-12-10")
    assert result["loan"]["due_on"] == "2020-12-10"
    [again] = await results(desk, barcode, promised_due="2020-12-20")
    assert again["loan"] == result["loan"]
    refused = await report(desk, barcode, offline=False, promised_due="2020-12-10")
    assert refused.status == 422


async def test_an_offline_check_out_of_a_blocked_patron_is_recorded_with_a_conflict(
    desk: Desk,
) -> None:
    [barcode] = await desk.copies(1)
    await block(desk)
    [result] = await results(desk, barcode)
    assert (result["ok"], result["problem"]["code"]) == (True, "patron-blocked")
    [conflict] = await conflicts(desk)
    assert conflict["loan_id"] == result["loan"]["id"]
    assert (conflict["code"], conflict["lent_on"]) == ("patron-blocked", "2020-11-19")
    # Only copies that have already left the library are lent in this way.
    [another] = await desk.copies(1)
    online = {"card_number": card_of("p1"), "barcodes": [another], "branch": "HKCL", "at": NIGHT}
    answer = await desk.api.post("/v1/checkouts", online, as_=STATION, at=noon("2020-11-20"))
    assert answer.json()["results"][0]["ok"] is False


async def test_an_offline_check_out_over_the_limit_is_recorded_with_a_conflict(desk: Desk) -> None:
    barcodes = await desk.copies(12)
    found = await results(desk, *barcodes)
    assert [result["ok"] for result in found] == [True] * 12
    assert [result["problem"]["code"] for result in found[10:]] == ["loan-limit"] * 2
    assert [conflict["barcode"] for conflict in await conflicts(desk)] == barcodes[10:]
    assert await desk.count("loan.checked-out") == 12


async def test_an_offline_check_out_of_a_copy_lent_to_another_since_is_only_a_conflict(
    desk: Desk,
) -> None:
    await desk.patron("p2")
    [barcode] = await desk.copies(1)
    await desk.lend(barcode, to="p2")
    lent, unknown = await results(desk, barcode, "NONE")
    assert (lent["ok"], lent["problem"]["code"]) == (False, "copy-on-loan")
    assert unknown["problem"]["code"] == "no-such-copy"
    first, second = await conflicts(desk)
    assert (first["patron_id"], first["barcode"], first["loan_id"]) == ("p1", barcode, None)
    assert second["barcode"] == "NONE"


async def test_a_repeated_offline_report_changes_nothing(desk: Desk) -> None:
    await desk.patron("p2")
    mine, other = await desk.copies(2)
    await desk.lend(other, to="p2")
    before = await results(desk, mine, other)
    again = await results(desk, mine, other)
    assert again[0]["loan"] == before[0]["loan"]
    assert [result["ok"] for result in again] == [True, False]
    assert len(await conflicts(desk)) == 1
    assert await desk.count("loan.checked-out") == 2


@pytest.mark.parametrize("day", ["2020-11-19", "2020-11-20"])
async def test_a_report_repeated_after_the_return_lends_nothing_again(desk: Desk, day: str) -> None:
    [barcode, unknown] = [*await desk.copies(1), "X999"]
    first, _ = await results(desk, barcode, unknown)
    await desk.take_back(barcode, on="2020-11-20", at=day)
    no_copy, again = await results(desk, unknown, barcode)
    assert (again["ok"], again["problem"]) == (True, None)
    assert (again["loan"]["id"], again["loan"]["state"]) == (first["loan"]["id"], "returned")
    assert no_copy["problem"]["code"] == "no-such-copy"
    assert await desk.count("loan.checked-out") == 1
    assert [one["code"] for one in await conflicts(desk)] == ["no-such-copy"]


async def test_an_offline_report_received_by_ten_replicas_is_recorded_once(desk: Desk) -> None:
    await desk.patron("p2")
    mine, other = await desk.copies(2)
    await desk.lend(other, to="p2")
    await asyncio.gather(*(report(desk, mine, other) for _ in range(10)))
    assert len(await conflicts(desk)) == 1
    assert await desk.count("loan.checked-out") == 2


async def test_a_second_check_out_of_a_day_is_another_loan_after_the_return(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    [first] = await results(desk, barcode, at="2020-11-19T10:00:00+08:00")
    assert (await give_back(desk, barcode, "2020-11-19T11:00:00+08:00"))["ok"]
    [second] = await results(desk, barcode, at="2020-11-19T12:00:00+08:00")
    assert (second["ok"], second["loan"]["state"]) == (True, "open")
    assert first["loan"]["id"] != second["loan"]["id"]


@pytest.mark.parametrize(
    ("at", "refused"),
    [
        ("2020-11-19T21:29:00+08:00", "lent-that-day"),
        ("2020-11-19T21:31:00+08:00", None),
        ("2020-11-20T09:00:00+08:00", None),
    ],
)
async def test_a_return_reported_late_ends_no_loan_that_began_after_it(
    desk: Desk, at: str, refused: str | None
) -> None:
    [barcode] = await desk.copies(1)
    await results(desk, barcode)  # lent at 21:30
    result = await give_back(desk, barcode, at)
    assert (result["problem"] or {"code": None})["code"] == refused
    [again] = await desk.take_back(barcode, on="2020-11-20")  # as its problem says, now
    assert again["ok"] is (refused is not None)


async def test_a_return_of_a_desk_and_a_loan_of_another_at_once_never_end_each_other(
    desk: Desk,
) -> None:
    """The report and the next check-out come at one moment; the report is about one before it."""
    await desk.patron("p2")
    [barcode] = await desk.copies(1)
    await results(desk, barcode)
    before = "2020-11-19T21:45:00+08:00"
    later = {"of": "p2", "at": "2020-11-19T22:00:00+08:00"}
    await asyncio.gather(
        *(give_back(desk, barcode, before) for _ in range(3)),
        *(report(desk, barcode, **later) for _ in range(3)),
    )
    [lent] = await results(desk, barcode, **later)
    again = await give_back(desk, barcode, before)
    assert (lent["loan"]["state"], again["problem"]["code"]) == ("open", "lent-that-day")
    assert await desk.count("loan.returned") == 1


async def give_back(desk: Desk, barcode: str, at: str) -> dict[str, Any]:
    """Report a return that a desk took while it was offline, on the morning of the 20th."""
    body = {"barcodes": [barcode], "branch": "HKCL", "channel": "desk", "at": at, "offline": True}
    answer = await desk.api.insist(
        "POST", "/v1/returns", body, as_=STAFF, at="2020-11-20T09:30:00+08:00"
    )
    [result] = answer.json()["results"]
    found: dict[str, Any] = result
    return found


async def test_a_desk_gets_the_barcodes_that_readers_wait_for_and_no_reader(desk: Desk) -> None:
    await desk.patron("p2")
    await desk.hear(told("MOS"))
    on_loan, kept, *_ = await desk.copies(2)
    [elsewhere] = await desk.copies(1)
    await desk.lend(on_loan, kept, elsewhere)
    title = (await desk.api.get(f"/v1/copies/{on_loan}", as_=STAFF)).json()["title_id"]
    other = (await desk.api.get(f"/v1/copies/{elsewhere}", as_=STAFF)).json()["title_id"]
    for patron, of, at in (("p2", title, "HKCL"), ("p2", other, "MOS")):
        body = {"title_id": of, "pickup_branch": at}
        placed = await desk.api.insist("POST", "/v1/holds", body, as_=token(patron))
        assert placed.status == 201, placed.json()
    assert (await awaited(desk))["waiting"] == sorted([on_loan, kept])
    await desk.take_back(kept, on="2020-11-21")
    assert await awaited(desk) == {"waiting": [], "kept": [kept], "complete": True}


async def awaited(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = (await desk.api.get("/v1/holds/awaited/HKCL", as_=STAFF)).json()
    return found


async def test_staff_resolve_a_conflict_once(desk: Desk) -> None:
    await results(desk, "NONE")
    [conflict] = await conflicts(desk)
    path = f"/v1/offline-conflicts/{conflict['id']}/resolution"
    body = {"note": "Found on the shelf; the station was misread."}
    settled = await desk.api.post(path, body, as_=STAFF, at=noon("2020-11-21"))
    assert settled.json()["resolution"] == {**body, "by": "s1", "at": "2020-11-21T04:00:00Z"}
    assert await conflicts(desk) == []
    assert [each["id"] for each in await conflicts(desk, "?all=true")] == [conflict["id"]]
    again = await desk.api.post(path, body, as_=STAFF)
    assert (again.status, again.json()["code"]) == (409, "conflict-resolved")
    missing = await desk.api.post("/v1/offline-conflicts/none/resolution", body, as_=STAFF)
    assert (missing.status, missing.json()["code"]) == (404, "no-such-conflict")


async def test_an_offline_check_out_needs_its_time(desk: Desk) -> None:
    assert (await report(desk, "B1", at=None)).status == 422


async def test_the_answer_counts_the_renewals_that_a_closure_grants(desk: Desk) -> None:
    relief = closure("c-1", "2020-11-10", (2, "2020-12-20"))
    granting = relief.model_copy(update={"extra_renewals": 2})
    await desk.hear(told(version=2, closures=(granting,)))
    [barcode] = await desk.copies(1)
    for _ in range(2):  # the first report, and one that is sent again
        [result] = await results(desk, barcode)
        assert result["loan"]["renewals_left"] == 7
