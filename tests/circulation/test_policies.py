"""Edits of the policy matrix: each is a version, and none affects an existing loan."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.circulation.loans.store import loans as loans_store
from services.circulation.policies import store as policies_store
from services.circulation.policies.routes import Terms
from services.circulation.rules.policy import Policy
from shared.clock import wall_clock
from shared.ids import first_id_at
from shared.unit_of_work import Work
from tests.circulation.desk import STAFF, Desk, noon
from tests.support import Answer

PICTURE_BOOKS: dict[str, Any] = {
    "copy_category": "picture-book",
    "loan_days": 28,
    "fine_per_day_cents": 20,
}
WHY = "The reading campaign of spring"


async def put(desk: Desk, policy_id: str, on: str = "2020-11-20", **row: Any) -> Answer:
    body = {"reason": WHY, **row}
    return await desk.api.insist("PUT", f"/v1/policies/{policy_id}", body, as_=STAFF, at=noon(on))


async def delete(desk: Desk, policy_id: str) -> Answer:
    return await desk.api.delete(f"/v1/policies/{policy_id}?reason=over", as_=STAFF)


async def history(desk: Desk, policy_id: str) -> list[dict[str, Any]]:
    answer = await desk.api.get(f"/v1/policies/{policy_id}/history", as_=STAFF)
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_default_terms_become_the_default_policy_row() -> None:
    assert Terms().row("default") == Policy(id="default")


async def test_a_new_policy_row_applies_only_to_later_loans(desk: Desk) -> None:
    before = await desk.loan(category="picture-book")
    answer = await put(desk, "picture-books", **PICTURE_BOOKS)
    assert (answer.status, answer.json()["version"]) == (200, 1)
    after = await desk.loan(category="picture-book")
    assert [loan["due_on"] for loan in (before, after)] == ["2020-12-04", "2020-12-18"]
    kept = await desk.stored(before)
    assert (kept["policy_id"], kept["policy_version"]) == ("default", 1)
    assert (after["policy_id"], after["policy_version"]) == ("picture-books", 1)


async def test_every_policy_version_is_kept_with_author_time_and_reason(desk: Desk) -> None:
    await put(desk, "picture-books", **PICTURE_BOOKS)
    await put(desk, "picture-books", "2020-11-21", **PICTURE_BOOKS | {"loan_days": 30})
    assert (await delete(desk, "picture-books")).status == 200
    again = await put(desk, "picture-books", "2020-11-23", **PICTURE_BOOKS)
    assert again.json()["version"] == 4  # two rows with the same id and version never differ
    changes = await history(desk, "picture-books")
    assert [(c["version"], (c["row"] or {}).get("loan_days")) for c in changes] == [
        (1, 28),
        (2, 30),
        (3, None),
        (4, 28),
    ]
    assert {c["by"] for c in changes} == {"s1"}
    assert (changes[1]["at"], changes[1]["reason"]) == ("2020-11-21T04:00:00Z", WHY)
    assert [c["by"] for c in await history(desk, "default")] == ["carrel"]


async def test_saving_an_unchanged_row_creates_no_version(desk: Desk) -> None:
    answers = [await put(desk, "picture-books", **PICTURE_BOOKS) for _ in range(2)]
    assert answers[0].body == answers[1].body
    assert len(await history(desk, "picture-books")) == 1


@pytest.mark.parametrize(
    ("faulty", "fields"),
    [
        ({"loan_days": 0, "fine_per_day_cents": -1}, {"loan_days", "fine_per_day_cents"}),
        ({"branch_kind": "kiosk"}, {"branch_kind"}),
        ({"copy_category": "Picture Book"}, {"copy_category"}),
        ({"block_over_cents": 0}, {"block_over_cents"}),
        ({"loan_dayz": 3}, {"loan_dayz"}),
        ({"reason": " "}, {"reason"}),
    ],
    ids=["two fields", "no such kind", "no such category", "blocks all", "unknown", "no reason"],
)
async def test_an_invalid_row_is_refused_with_an_error_for_each_field(
    desk: Desk, faulty: dict[str, Any], fields: set[str]
) -> None:
    answer = await put(desk, "picture-books", **faulty)
    assert (answer.status, answer.json()["code"]) == (422, "malformed")
    assert {error["field"] for error in answer.json()["errors"]} == {f"body.{f}" for f in fields}
    assert all(error["message"] for error in answer.json()["errors"])


async def test_a_change_that_makes_the_policy_of_a_loan_ambiguous_or_missing_is_refused(
    desk: Desk,
) -> None:
    twice = await put(desk, "tales", copy_category="children")
    assert (twice.status, twice.json()["code"]) == (409, "policy-taken")
    assert "children" in twice.json()["detail"]
    for refused in (
        await put(desk, "default", copy_category="atlas"),
        await delete(desk, "default"),
    ):
        assert (refused.status, refused.json()["code"]) == (409, "policy-needed")
    missing = await delete(desk, "none")
    assert (missing.status, missing.json()["code"]) == (404, "no-such-policy")
    rows = (await desk.api.get("/v1/policies", as_=STAFF)).json()["items"]
    assert [row["version"] for row in rows] == [1, 1, 1]


async def test_fifty_concurrent_changes_of_one_row_create_fifty_versions(desk: Desk) -> None:
    await asyncio.gather(*(put(desk, "default", loan_days=days) for days in range(21, 71)))
    changes = await history(desk, "default")
    more = (await desk.api.get("/v1/policies/default/history?limit=200", as_=STAFF)).json()["items"]
    # A change whose answer was lost is sent again, and may then be a version of its own.
    assert len(more) >= 51
    assert [change["version"] for change in more] == list(range(1, len(more) + 1))
    assert len({change["row"]["loan_days"] for change in more}) == 51
    assert len(changes) == 50  # a page
    [row] = [r for r in await policies_store.find(desk.run().database) if r.id == "default"]
    assert row.loan_days == more[-1]["row"]["loan_days"]


async def test_a_check_out_does_not_read_a_thousand_rows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One document tells that nothing has changed; the next check-out sees a change."""
    await desk.loan()
    rows = [{"_id": f"row-{n}", "patron_category": f"p{n}", "version": 1} for n in range(1000)]
    await desk.run().database.policies.insert_many(rows)
    await put(desk, "picture-books", **PICTURE_BOOKS)
    read: list[str] = []
    read_all = Work.all

    def noted(self: Work, kind: Any, collection: str, *more: Any, **options: Any) -> Any:
        read.append(collection)
        return read_all(self, kind, collection, *more, **options)

    monkeypatch.setattr(Work, "all", noted)
    barcodes = await desk.copies(4, category="picture-book")
    for barcode in barcodes[:3]:
        await desk.lend(barcode)
    assert read.count("policies") == 1
    await put(desk, "picture-books", **PICTURE_BOOKS | {"loan_days": 30})
    read.clear()
    [result] = await desk.lend(barcodes[3])
    assert (result["loan"]["due_on"], read.count("policies")) == ("2020-12-20", 1)


async def test_rows_stored_without_versions_still_apply(desk: Desk) -> None:
    row = {"_id": "default", "version": 1, "loan_days": 10}
    await desk.run().database.policies.insert_one(row)
    loan = await desk.loan()
    assert loan["due_on"] == "2020-11-30"
    assert [change["row"]["loan_days"] for change in await history(desk, "default")] == [10]


async def test_a_change_based_on_another_version_is_refused(desk: Desk) -> None:
    await put(desk, "picture-books", **PICTURE_BOOKS, based_on=0)
    twice = await put(desk, "picture-books", **PICTURE_BOOKS, based_on=0)
    assert twice.status == 200  # the same row: nothing is lost
    stale = await put(desk, "picture-books", **PICTURE_BOOKS | {"loan_days": 7}, based_on=0)
    assert (stale.status, stale.json()["code"]) == (409, "policy-changed")
    assert "version 1" in stale.json()["detail"]
    path = "/v1/policies/picture-books?reason=over&based_on=2"
    assert (await desk.api.delete(path, as_=STAFF)).json()["code"] == "policy-changed"
    assert (await desk.api.delete(path.replace("=2", "=1"), as_=STAFF)).status == 200


async def test_one_of_twenty_concurrent_changes_of_a_version_is_made(desk: Desk) -> None:
    answers = await asyncio.gather(
        *(put(desk, "default", loan_days=days, based_on=1) for days in range(21, 41))
    )
    assert [answer.status for answer in answers].count(200) == 1
    assert {answer.json().get("code") for answer in answers if answer.status != 200} == {
        "policy-changed"
    }
    assert len(await history(desk, "default")) == 2


async def effect(desk: Desk, policy_id: str, row: dict[str, Any] | None, on: str) -> Answer:
    path = f"/v1/policies/{policy_id}/effect"
    return await desk.api.post(path, {"row": row}, as_=STAFF, at=noon(on))


async def test_a_preview_compares_last_months_loans_under_both_rows(desk: Desk) -> None:
    """Four loans of picture books: one is too old, one is late, and one came back late."""
    [old] = await desk.copies(1, "picture-book")
    await desk.lend(old, on="2020-10-01")
    back = await desk.loan(on="2020-11-02", category="picture-book")
    await desk.loan(on="2020-11-10", category="picture-book")  # due 24 November
    await desk.loan(on="2020-11-26", category="picture-book")
    await desk.loan(on="2020-11-26")
    await desk.take_back(back["barcode"], on="2020-11-18")  # due 16 November: 2 days, $3.00
    found = await effect(desk, "picture-books", PICTURE_BOOKS | {"loan_days": 7}, "2020-11-26")
    assert found.json() == {
        "as_of": "2020-11-26",
        "since": "2020-10-27",
        "loans": 4,
        "complete": True,
        "concerned": 3,
        "due_earlier": 3,
        "due_later": 0,
        "not_lent": 0,
        "fines_changed": 2,
        "fines_before_cents": 2 * 150 + 2 * 150,
        "fines_after_cents": 9 * 20 + 9 * 20,
        "currency": "HKD",
    }
    assert len(await desk.api.app.state.database.policies.find().to_list(9)) <= 3  # nothing changed
    await put(desk, "picture-books", **PICTURE_BOOKS)
    away = await effect(desk, "picture-books", None, "2020-11-26")
    assert (away.json()["concerned"], away.json()["due_earlier"]) == (3, 3)
    taken = await effect(desk, "tales", {"copy_category": "children"}, "2020-11-26")
    assert (taken.status, taken.json()["code"]) == (409, "policy-taken")


async def test_a_preview_of_many_loans_takes_the_first_of_each_day(desk: Desk) -> None:
    """Ids begin with their time: here of the last 40 days, with three loans on each."""
    database, loan = desk.api.app.state.database, await desk.loan()
    stored = await database.loans.find_one({"_id": loan["id"]})
    await database.loans.delete_many({})
    now = wall_clock()
    for n in range(120):
        made = now - timedelta(days=n / 3)
        document = stored | {"_id": first_id_at(made)[:-5] + f"{n:05}", "copy_id": f"c{n}"}
        document["borrowed_on"] = made.date().isoformat()
        await database.loans.insert_one(document)
    loans, complete = await loans_store.find_lent(database, now.date(), 30, 200)
    assert (complete, len({one.borrowed_on for one in loans})) == (True, 31)
    loans, complete = await loans_store.find_lent(database, now.date(), 30, 60)
    assert not complete
    assert len(loans) <= 60
    assert len({one.borrowed_on for one in loans}) >= 29


async def test_the_first_of_the_fitting_rows_applies(desk: Desk) -> None:
    await put(desk, "picture-books", **PICTURE_BOOKS)
    path = "/v1/policies?patron_category=adult&branch_kind=major&copy_category="
    for category, rows in (("picture-book", ["picture-books", "default"]), ("atlas", ["default"])):
        found = (await desk.api.get(f"{path}{category}", as_=STAFF)).json()["items"]
        assert [row["id"] for row in found] == rows
