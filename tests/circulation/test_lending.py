"""Titles, check-out, return and renewal over HTTP."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest
from prometheus_client import REGISTRY

from shared.contracts.accounts import PatronBlocked
from shared.ids import card_digest
from tests.circulation.desk import KEY, STAFF, STATION, Desk, card_of, closure, noon
from tests.circulation.desk import branch as told
from tests.support import Answer, token

P1 = token("p1")


# ---- titles -------------------------------------------------------------------------------------


async def search(desk: Desk, query: dict[str, str]) -> Answer:
    return await desk.api.get(f"/v1/titles?{urlencode(query)}")


def title(**more: Any) -> dict[str, Any]:
    return {"title": "Kite", "authors": ["A. Writer"], "kind": "book", "copies": [], **more}


async def test_a_title_is_found_by_words_of_title_author_and_isbn(desk: Desk) -> None:
    made = await desk.api.post(
        "/v1/titles",
        title(title="To Kill a Mockingbird café", authors=["Harper Lee"], isbn="0-06-112008-1"),
        as_=STAFF,
    )
    assert (made.status, made.json()["isbn"]) == (201, "9780061120084")
    await desk.api.post("/v1/titles", title(), as_=STAFF)
    for q in ("mockingbird", "kill LEE", "Harp", "9780061120084", "0-06-112008-1", "café", "CAFE"):
        found = await search(desk, {"q": q})
        assert [item["id"] for item in found.json()["items"]] == [made.json()["id"]], q
    for q in ("mocking kite", "ockingbird", "mock.*bird", "9780061120085"):
        assert (await search(desk, {"q": q})).json()["items"] == [], q


async def test_a_chinese_title_is_found_by_any_part(desk: Desk) -> None:
    chinese = title(title="我城邦\u3000新版", authors=["西西"])
    made = (await desk.api.post("/v1/titles", chinese, as_=STAFF)).json()
    assert made["title"] == "我城邦 新版"
    for q in ("城邦", "我城", "西西", "邦", "西 新"):
        found = await search(desk, {"q": q})
        assert [item["id"] for item in found.json()["items"]] == [made["id"]], q
    assert not (await search(desk, {"q": "我邦"})).json()["items"]


@pytest.mark.parametrize(("written", "sought"), [("紅樓夢", "红楼"), ("红楼梦", "樓夢")])
async def test_simplified_and_traditional_chinese_find_each_other(
    desk: Desk, written: str, sought: str
) -> None:
    made = (await desk.api.post("/v1/titles", title(title=written), as_=STAFF)).json()
    found = await search(desk, {"q": sought})
    assert [(item["id"], item["title"]) for item in found.json()["items"]] == [
        (made["id"], written)
    ]


async def test_titles_are_listed_in_pages(desk: Desk) -> None:
    made = [
        (await desk.api.post("/v1/titles", title(title=f"Kite {n}"), as_=STAFF)).json()["id"]
        for n in range(5)
    ]
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await search(desk, {"limit": "2", **after})).json()
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == made


async def test_availability_is_counted_by_branch(desk: Desk) -> None:
    copies = [
        {"barcode": f"K{n}", "category": "adult", "branch": branch, "price_cents": 12800}
        for n, branch in enumerate(("HKCL", "HKCL", "LFU"))
    ]
    made = (await desk.api.post("/v1/titles", title(copies=copies), as_=STAFF)).json()
    await desk.lend("K0")
    found = (await desk.api.get(f"/v1/titles/{made['id']}")).json()
    assert found["availability"] == [
        {"branch": "HKCL", "copies": 2, "available": 1, "call_number": None},
        {"branch": "LFU", "copies": 1, "available": 1, "call_number": None},
    ]
    assert (await desk.api.get("/v1/titles/none")).status == 404


async def test_a_malformed_title_is_refused(desk: Desk) -> None:
    for more in (
        {"isbn": "9780061120085"},  # a wrong check digit
        {"isbn": "978006112008"},
        {"title": ""},
        {"title": "a\0b"},
        {"shelf": "4"},
    ):
        assert (await desk.api.post("/v1/titles", title(**more), as_=STAFF)).status == 422, more


async def test_concurrent_requests_for_one_barcode_create_one_copy(desk: Desk) -> None:
    copy = {"barcode": "K1", "category": "adult", "branch": "HKCL"}
    answers = await asyncio.gather(
        *(desk.api.insist("POST", "/v1/titles", title(copies=[copy]), as_=STAFF) for _ in range(10))
    )
    assert sorted(answer.status for answer in answers) == [201] + [409] * 9
    assert {a.json()["code"] for a in answers if a.status == 409} == {"barcode-taken"}
    assert await desk.count("title.catalogued") == 1
    body = title(copies=[{**copy, "barcode": "K2"}] * 2)
    twice = await desk.api.post("/v1/titles", body, as_=STAFF)
    assert twice.status == 422


# ---- check-out ----------------------------------------------------------------------------------


async def test_a_refused_copy_is_counted_though_the_answer_is_200(desk: Desk) -> None:
    def refused() -> float:
        code = {"code": "no-such-copy"}
        return REGISTRY.get_sample_value("carrel_refusals_total", code) or 0

    before = refused()
    await desk.lend("NONE", *await desk.copies(1))
    assert refused() == before + 1


async def test_a_refused_copy_does_not_stop_the_others_of_the_request(desk: Desk) -> None:
    await desk.patron("p2")
    mine, other = await desk.copies(2)
    await desk.lend(other, to="p2")
    results = await desk.lend(mine, other, "NONE")
    assert [result["ok"] for result in results] == [True, False, False]
    assert [r["problem"]["code"] for r in results[1:]] == ["copy-on-loan", "no-such-copy"]
    assert "NONE" in results[2]["problem"]["detail"]
    assert await desk.count("loan.checked-out") == 2
    assert len((await desk.api.get("/v1/me/loans", as_=P1)).json()["items"]) == 1


async def test_a_loan_keeps_its_policy_row(desk: Desk) -> None:
    loan = await desk.loan(category="children")
    assert (loan["policy_id"], loan["policy_version"]) == ("children", 1)
    rows = (await desk.api.get("/v1/policies", as_=STAFF)).json()["items"]
    assert {row["id"]: row["fine_per_day_cents"] for row in rows} == {
        "default": 150,
        "children": 50,
        "young-adult": 50,
    }


REFUSED_WHOLE: list[tuple[dict[str, Any], int, str]] = [
    ({"card_number": "C-nobody"}, 503, "unavailable"),  # accounts cannot be reached
    ({"branch": "NONE"}, 404, "unknown-branch"),
    ({"at": "2020-11-21"}, 409, "in-the-future"),
    ({"at": "2020-10-01"}, 409, "too-long-ago"),
    ({"at": "2020-11-20T10:00:00"}, 422, "malformed"),  # no offset
    ({"at": "0001-01-01T00:00:00+08:00"}, 422, "malformed"),
    ({"barcodes": ["A", "A"]}, 422, "malformed"),
    ({"barcodes": []}, 422, "malformed"),
]


async def test_a_refused_patron_borrows_none_of_the_copies(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    for more, status, code in REFUSED_WHOLE:
        body = {"card_number": card_of("p1"), "barcodes": [barcode], "branch": "HKCL", **more}
        answer = await desk.api.post("/v1/checkouts", body, as_=STATION, at=noon("2020-11-20"))
        assert (answer.status, answer.json()["code"]) == (status, code), more
    assert await desk.count("loan.checked-out") == 0


async def test_an_offline_check_out_is_due_by_its_true_day(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    body = {
        "card_number": card_of("p1"),
        "barcodes": [barcode],
        "branch": "HKCL",
        "at": "2020-11-17T17:30:00Z",  # 1:30 am on 18 November in the library
    }
    answer = await desk.api.post("/v1/checkouts", body, as_=STATION, at=noon("2020-11-20"))
    loan = answer.json()["results"][0]["loan"]
    assert (loan["borrowed_on"], loan["due_on"]) == ("2020-11-18", "2020-12-02")

    await desk.take_back(barcode, on="2020-11-25")
    body["at"] = "2020-11-24"
    again = await desk.api.post("/v1/checkouts", body, as_=STATION, at=noon("2020-11-25"))
    assert again.json()["results"][0]["problem"]["code"] == "lent-before-return"


async def test_no_patron_exceeds_the_loan_limit(desk: Desk) -> None:
    barcodes = await desk.copies(12)
    results = await desk.lend(*barcodes)
    assert [result["ok"] for result in results] == [True] * 10 + [False] * 2
    assert {r["problem"]["code"] for r in results[10:]} == {"loan-limit"}
    await desk.take_back(barcodes[0], on="2020-11-20")
    assert [r["ok"] for r in await desk.lend(*barcodes[10:])] == [True, False]


async def test_a_patron_blocked_by_accounts_can_neither_borrow_nor_renew(desk: Desk) -> None:
    loan = await desk.loan()
    blocked = PatronBlocked(
        version=2,
        patron_id="p1",
        category="adult",
        home_branch="HKCL",
        language="en",
        status="blocked",
        card_digest=card_digest(card_of("p1"), KEY),
    )
    await desk.hear(blocked)
    [barcode] = await desk.copies(1)
    [result] = await desk.lend(barcode)
    assert result["problem"]["code"] == "patron-blocked"
    answer = await desk.api.post(f"/v1/loans/{loan['id']}/renewals", as_=P1, at=noon("2020-11-21"))
    assert (answer.status, answer.json()["code"]) == (409, "patron-blocked")


async def test_an_unpaid_fine_stops_borrowing(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-01")
    await desk.take_back(loan["barcode"], on="2020-11-16")
    [result] = await desk.lend(loan["barcode"], on="2020-11-20")
    assert result["problem"]["code"] == "patron-blocked"


# ---- return -------------------------------------------------------------------------------------


async def test_a_late_return_has_a_statement(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    assert (loan["due_on"], loan["state"], loan["renewals_left"]) == ("2020-12-04", "open", 5)

    [result] = await desk.take_back(loan["barcode"], on="2020-12-07")
    assert result["loan"]["state"] == "returned"
    assert result["charge"]["amount_cents"] == 450  # 5, 6, 7 December
    [span] = result["statement"]["spans"]
    assert (span["from"], span["to"], span["days"]) == ("2020-12-05", "2020-12-07", 3)
    assert span["cause"]["kind"] == "policy"

    statement = await desk.api.get(f"/v1/loans/{loan['id']}/fine-statement", as_=P1)
    assert statement.json()["as_of"] == "2020-12-07"
    assert statement.json()["spans"] == result["statement"]["spans"]
    charge = await desk.api.get(f"/v1/charges/{result['charge']['id']}", as_=P1)
    [entry] = charge.json()["entries"]
    assert (entry["kind"], entry["amount_cents"], entry["on"]) == ("charge", 450, "2020-12-07")
    title = (await desk.api.get(f"/v1/titles/{loan['title_id']}")).json()["title"]
    listed = {**result["charge"], "title": title}
    refund = {"next_refund_cents": 0, "next_refund_in_cash": False}
    assert charge.json() == {**listed, **refund, "entries": [entry]}
    charges = (await desk.api.get("/v1/me/charges", as_=P1)).json()
    assert charges == {"items": [listed], "next": None}
    assert (await desk.api.get("/v1/me/loans", as_=P1)).json()["items"] == []


async def test_a_return_in_time_makes_no_charge(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    [result] = await desk.take_back(loan["barcode"], on="2020-12-04", branch="LFU")
    assert (result["ok"], result["charge"]) == (True, None)
    assert result["statement"]["amount_cents"] == 0
    assert await desk.count("fine.assessed") == 0
    [home] = await desk.take_back(loan["barcode"], on="2020-12-04")
    assert (home["ok"], home["loan"], home["copy"]["state"]) == (True, None, "available")
    [again] = await desk.take_back(loan["barcode"], on="2020-12-04")
    assert again["problem"]["code"] == "not-on-loan"
    [lent_again] = await desk.lend(loan["barcode"], on="2020-12-04")
    assert lent_again["ok"]


@pytest.mark.parametrize("at", ["2020-12-05", "2020-12-05T23:00:00+08:00"])
async def test_a_book_drop_return_is_charged_to_the_day_it_was_dropped(desk: Desk, at: str) -> None:
    loan = await desk.loan(on="2020-11-20")
    [result] = await desk.take_back(
        loan["barcode"], on="2020-12-20", at=at, channel="book-drop", branch="LFU"
    )
    assert (result["loan"]["returned_on"], result["charge"]["amount_cents"]) == ("2020-12-05", 150)


async def test_a_return_before_the_loan_or_in_the_future_is_refused(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    [early] = await desk.take_back(loan["barcode"], on="2020-11-21", at="2020-11-19")
    assert early["problem"]["code"] == "returned-before-borrowed"
    body = {"barcodes": [loan["barcode"]], "branch": "HKCL", "channel": "desk", "at": "2020-11-22"}
    late = await desk.api.post("/v1/returns", body, as_=STAFF, at=noon("2020-11-21"))
    assert (late.status, late.json()["code"]) == (409, "in-the-future")
    assert (await desk.stored(loan))["state"] == "open"


async def test_a_return_at_another_branch_counts_the_lending_branchs_days(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")  # due 4 December
    await desk.hear(told(version=2, closures=(closure("c1", "2020-12-06", (2, "2020-12-08")),)))
    [result] = await desk.take_back(loan["barcode"], on="2020-12-08", branch="LFU")
    assert result["charge"]["amount_cents"] == 300  # 5 and 8 December; 6 and 7 closed


async def test_announcing_a_reopening_after_a_return_changes_no_statement(desk: Desk) -> None:
    await desk.hear(told(version=2, closures=(closure("c1", "2020-12-02", (2, None)),)))
    loan = await desk.loan(on="2020-11-20")
    await desk.take_back(loan["barcode"], on="2020-12-30")
    before = (await desk.api.get(f"/v1/loans/{loan['id']}/fine-statement", as_=P1)).json()
    assert (before["due_on"], before["amount_cents"], before["overdue"]) == (None, 0, False)
    end = closure("c1", "2020-12-02", (2, None), (3, "2020-12-10"))
    await desk.hear(told(version=3, closures=(end,)))
    after = (await desk.api.get(f"/v1/loans/{loan['id']}/fine-statement", as_=P1)).json()
    assert after == before
    assert (await desk.stored(loan))["due_on"] == "2020-12-04"


# ---- renewal ------------------------------------------------------------------------------------


async def renew(desk: Desk, loan: dict[str, Any], on: str, **more: Any) -> Any:
    return await desk.api.post(
        f"/v1/loans/{loan['id']}/renewals", at=noon(on), **{"as_": P1, **more}
    )


async def test_a_renewal_counts_from_its_own_day_and_has_a_reference(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    answer = (await renew(desk, loan, "2020-12-01")).json()
    assert answer["loan"]["due_on"] == "2020-12-15"
    assert (answer["loan"]["renewals"], answer["charge"]) == (1, None)
    again = (await renew(desk, loan, "2020-12-02")).json()
    assert again["reference"] != answer["reference"]
    assert len(answer["reference"]) == len("RN-4F7K-Q2MD")


async def test_renewing_an_overdue_loan_assesses_its_fine_so_far(desk: Desk) -> None:
    loan, other = await desk.loan(on="2020-11-20"), await desk.loan(on="2020-11-30")
    answer = await renew(desk, loan, "2020-12-06")
    assert answer.status == 200  # the fine that the renewal itself assesses does not block it
    assert answer.json()["charge"]["amount_cents"] == 300
    assert answer.json()["charge"]["assessed_on"] == "2020-12-06"
    assert answer.json()["loan"]["due_on"] == "2020-12-20"
    assert (await renew(desk, loan, "2020-12-06")).json()["code"] == "patron-blocked"
    assert (await renew(desk, other, "2020-12-06")).json()["code"] == "patron-blocked"
    # Returned late again: the fine covers only the days after the renewed due date.
    [result] = await desk.take_back(loan["barcode"], on="2020-12-21")
    assert result["charge"]["amount_cents"] == 150
    charges = (await desk.api.get("/v1/me/charges", as_=P1)).json()["items"]
    assert [charge["amount_cents"] for charge in charges] == [300, 150]


async def test_a_renewal_beyond_the_limit_is_refused(desk: Desk) -> None:
    loan = await desk.loan()
    for day in range(21, 26):
        assert (await renew(desk, loan, f"2020-11-{day}")).status == 200
    answer = await renew(desk, loan, "2020-11-26")
    assert (answer.status, answer.json()["code"]) == (409, "renewal-limit")


async def test_a_renewal_that_would_not_extend_the_loan_is_refused_and_not_counted(
    desk: Desk,
) -> None:
    loan = await desk.loan(on="2020-11-20")
    answer = await renew(desk, loan, "2020-11-20")
    assert (answer.status, answer.json()["code"]) == (409, "nothing-to-gain")
    assert answer.json()["detail"] == "Renewing now would not change the due date."
    assert (await renew(desk, loan, "2020-11-21")).status == 200
    assert (await renew(desk, loan, "2020-11-21")).json()["code"] == "nothing-to-gain"
    each = await desk.api.post("/v1/me/renewals", as_=P1, at=noon("2020-11-21"))
    [result] = each.json()["results"]
    assert result["problem"]["code"] == "nothing-to-gain"
    stored = await desk.stored(loan)
    assert (stored["renewals"], stored["due_on"]) == (1, "2020-12-05")
    assert await desk.count("loan.renewed") == 1


async def test_renewing_all_loans_decides_on_each_and_renews_overdue_ones_together(
    desk: Desk,
) -> None:
    late, later, used_up = [await desk.loan(on="2020-11-20") for _ in range(3)]
    for day in range(21, 26):
        await renew(desk, used_up, f"2020-11-{day}")
    answer = await desk.api.post("/v1/me/renewals", as_=P1, at=noon("2020-12-05"))
    results = {result["loan_id"]: result for result in answer.json()["results"]}
    for loan in (late, later):
        assert results[loan["id"]]["ok"]
        assert results[loan["id"]]["charge"]["amount_cents"] == 150
        assert results[loan["id"]]["reference"].startswith("RN-")
    assert results[used_up["id"]]["problem"]["code"] == "renewal-limit"
    assert await desk.count("fine.assessed") == 2
    charges = (await desk.api.get("/v1/me/charges", as_=P1)).json()["items"]
    assert sum(charge["outstanding_cents"] for charge in charges) == 300
    assert (await desk.api.post("/v1/me/renewals", as_=token("p2"))).json() == {"results": []}


async def test_a_renewal_retried_with_its_key_happens_once(desk: Desk) -> None:
    loan = await desk.loan()
    answers = [await renew(desk, loan, "2020-12-05", key="k-1") for _ in range(3)]
    assert len({answer.body for answer in answers}) == 1
    assert (await desk.stored(loan))["renewals"] == 1
    assert await desk.count("loan.renewed") == 1
    assert await desk.count("fine.assessed") == 1


async def test_a_check_out_or_return_retried_with_its_key_happens_once(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    lend = {"card_number": card_of("p1"), "barcodes": [barcode, "NONE"], "branch": "HKCL"}
    give = {"barcodes": [barcode], "branch": "HKCL", "channel": "station"}
    for path, body, day in (
        ("/v1/checkouts", lend, "2020-11-20"),
        ("/v1/returns", give, "2020-12-20"),
    ):
        answers = [
            await desk.api.post(path, body, as_=STATION, at=noon(day), key="k-1" + path)
            for _ in range(3)
        ]
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1
    assert await desk.count("loan.checked-out") == 1
    assert await desk.count("loan.returned") == 1
    assert await desk.count("fine.assessed") == 1
