"""Calls that the lending rules refuse: each answer has the code that the route declares for it."""

from typing import Any

import pytest

from tests.circulation import cashier
from tests.circulation.desk import STAFF, Desk, noon
from tests.circulation.shelf import hold, lent_title, people, title_of
from tests.support import Answer, token

ON = "2020-11-21"


def refusal(answer: Answer) -> tuple[int, str]:
    """Return the status and the code of a refused call."""
    return answer.status, answer.json()["code"]


# ---- what does not exist ------------------------------------------------------------------------

UNKNOWN: list[tuple[str, str, Any, str]] = [
    ("GET", "/v1/payments/none", None, "no-such-payment"),
    ("GET", "/v1/charges/none", None, "no-such-charge"),
    ("GET", "/v1/charges/none/statement", None, "no-such-charge"),
    ("POST", "/v1/charges/none/waiver", {"amount_cents": 1, "reason": "asked"}, "no-such-charge"),
    ("POST", "/v1/charges/none/refund", None, "no-such-charge"),
    (
        "POST",
        "/v1/patrons/p1/payments",
        {"charge_ids": ["none"], "amount_cents": 1},
        "no-such-charge",
    ),
    ("GET", "/v1/loans/none", None, "no-such-loan"),
    ("GET", "/v1/loans/none/fine-statement", None, "no-such-loan"),
    ("POST", "/v1/loans/none/renewals", None, "no-such-loan"),
    ("POST", "/v1/loans/none/renewals?preview=true", None, "no-such-loan"),
    ("POST", "/v1/loans/none/loss", None, "no-such-loan"),
    ("POST", "/v1/loans/none/undo", {"step": "return", "branch": "HKCL"}, "no-such-loan"),
    ("POST", "/v1/loans/none/claim", None, "no-such-loan"),
    ("DELETE", "/v1/loans/none/claim", None, "no-such-loan"),
    ("GET", "/v1/holds/none", None, "no-such-hold"),
    ("PATCH", "/v1/holds/none", {"frozen": True}, "no-such-hold"),
    ("DELETE", "/v1/holds/none", None, "no-such-hold"),
    ("GET", "/v1/policies/none/history", None, "no-such-policy"),
    ("PATCH", "/v1/fine-suspensions/none", {"resumes_on": None}, "no-such-suspension"),
    ("POST", "/v1/fine-suspensions/none/withdrawal", {"reason": "wrong"}, "no-such-suspension"),
    ("GET", "/v1/fine-suspensions/none/patrons", None, "no-such-suspension"),
    ("GET", "/v1/copies/none", None, "not-found"),
]


async def test_an_unknown_resource_is_not_found(desk: Desk) -> None:
    for method, path, body, code in UNKNOWN:
        answer = await desk.api.call(method, path, body, as_=STAFF)
        assert refusal(answer) == (404, code), (method, path)


async def test_a_scan_of_an_unknown_copy_or_at_an_unknown_branch_is_refused(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    for path in ("arrival", "recovery"):
        unknown = await desk.api.post(f"/v1/copies/NONE/{path}", {"branch": "HKCL"}, as_=STAFF)
        assert refusal(unknown) == (409, "no-such-copy"), path
        at = await desk.api.post(f"/v1/copies/{barcode}/{path}", {"branch": "NONE"}, as_=STAFF)
        assert refusal(at) == (404, "unknown-branch"), path
        idle = await desk.api.post(f"/v1/copies/{barcode}/{path}", {"branch": "HKCL"}, as_=STAFF)
        assert refusal(idle) == (409, "copy-state"), path
    lost = await desk.api.post("/v1/copies/NONE/removal", {"fault": "missing"}, as_=STAFF)
    assert refusal(lost) == (409, "no-such-copy")
    back = {"barcodes": [barcode], "branch": "NONE", "channel": "desk"}
    assert refusal(await desk.api.post("/v1/returns", back, as_=STAFF)) == (404, "unknown-branch")
    [returned] = await desk.take_back("NONE", on=ON)
    assert (returned["ok"], returned["problem"]["code"]) == (False, "no-such-copy")


# ---- copies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code"),
    [("missing", "copy-lost"), ("damaged", "copy-damaged"), ("withdrawn", "copy-withdrawn")],
)
async def test_a_copy_out_of_lending_is_not_lent(desk: Desk, fault: str, code: str) -> None:
    out, other = await desk.copies(2)
    await desk.api.post(f"/v1/copies/{out}/removal", {"fault": fault}, as_=STAFF)
    refused, lent = await desk.lend(out, other)
    assert (refused["ok"], refused["problem"]["code"]) == (False, code)
    assert lent["ok"]


# ---- loans --------------------------------------------------------------------------------------


async def test_an_ended_loan_is_neither_renewed_nor_lost_nor_claimed(desk: Desk) -> None:
    loan = await desk.loan()
    await desk.take_back(loan["barcode"], on=ON)
    ended = await desk.stored(loan)
    for path in ("renewals", "loss", "claim"):
        answer = await desk.api.post(f"/v1/loans/{loan['id']}/{path}", as_=cashier.P1, at=noon(ON))
        assert refusal(answer) == (409, "loan-not-open"), path
    rejected = await desk.api.delete(f"/v1/loans/{loan['id']}/claim", as_=STAFF)
    assert refusal(rejected) == (409, "loan-not-open")
    assert await desk.stored(loan) == ended


async def test_a_lost_loan_is_not_claimed_returned(desk: Desk) -> None:
    loan = await desk.loan()
    path = f"/v1/loans/{loan['id']}"
    lost = await desk.api.post(f"{path}/loss", {"price_cents": 5000}, as_=STAFF, at=noon(ON))
    assert lost.status == 200
    claimed = await desk.api.post(f"{path}/claim", as_=cashier.P1, at=noon(ON))
    assert refusal(claimed) == (409, "loan-lost")
    assert refusal(await desk.api.delete(f"{path}/claim", as_=STAFF)) == (409, "loan-lost")
    assert (await desk.stored(loan))["claimed_returned_on"] is None


async def test_renewing_several_loans_refuses_each_for_its_own_reason(desk: Desk) -> None:
    await people(desk, "p2")
    back, claimed, good = [await desk.loan() for _ in range(3)]
    theirs = await desk.loan(to="p2")
    await desk.take_back(back["barcode"], on=ON)
    await desk.api.post(f"/v1/loans/{claimed['id']}/claim", as_=cashier.P1, at=noon(ON))
    ids = [back["id"], claimed["id"], good["id"], theirs["id"], "none"]
    assert await renewed(desk, *ids) == {
        back["id"]: "no-such-loan",  # it is no open loan of this patron
        claimed["id"]: "loan-claimed",
        good["id"]: None,
        theirs["id"]: "no-such-loan",
        "none": "no-such-loan",
    }
    assert (await desk.stored(theirs))["renewals"] == 0


async def test_a_patron_who_owes_for_a_lost_loan_renews_no_other(desk: Desk) -> None:
    lost, other = [await desk.loan() for _ in range(2)]
    path = f"/v1/loans/{lost['id']}/loss"
    await desk.api.post(path, {"price_cents": 5000}, as_=STAFF, at=noon(ON))
    found = await renewed(desk, lost["id"], other["id"])
    assert found == {lost["id"]: "no-such-loan", other["id"]: "patron-blocked"}


async def renewed(desk: Desk, *loan_ids: str) -> dict[str, str | None]:
    """Renew loans of p1 together; return the code of the refusal of each, None if renewed."""
    body = {"loan_ids": loan_ids}
    answer = await desk.api.post("/v1/me/renewals", body, as_=cashier.P1, at=noon("2020-11-23"))
    results = answer.json()["results"]
    return {one["loan_id"]: (one["problem"] or {}).get("code") for one in results}


# ---- holds --------------------------------------------------------------------------------------


async def test_an_ended_hold_is_not_changed(desk: Desk) -> None:
    title, _ = await lent_title(desk)
    await people(desk, "p2")
    held = await hold(desk, "p2", title)
    path, p2 = f"/v1/holds/{held['id']}", token("p2")
    assert (await desk.api.delete(path, as_=p2)).json()["state"] == "cancelled"
    assert refusal(await desk.api.delete(path, as_=p2)) == (409, "hold-ended")
    assert refusal(await desk.api.patch(path, {"frozen": True}, as_=p2)) == (409, "hold-ended")
    assert await desk.count("hold.cancelled") == 1


async def test_the_last_day_of_a_hold_is_not_moved_into_the_past(desk: Desk) -> None:
    await people(desk, "p2")
    title, _ = await lent_title(desk)
    held = await hold(desk, "p2", title)
    path = f"/v1/holds/{held['id']}"
    past = await desk.api.patch(
        path, {"expires_on": "2020-11-20"}, as_=token("p2"), at=noon("2020-11-21")
    )
    assert refusal(past) == (409, "ends-before-today")
    assert (await desk.api.get(path, as_=token("p2"))).json()["expires_on"] is None


async def test_a_hold_of_a_title_on_loan_to_the_patron_is_refused(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    await desk.lend(barcode)
    body = {"title_id": await title_of(desk, barcode), "pickup_branch": "HKCL"}
    answer = await desk.api.post("/v1/holds", body, as_=cashier.P1, at=noon(ON))
    assert refusal(answer) == (409, "title-on-loan")


# ---- money --------------------------------------------------------------------------------------


async def test_another_patrons_payment_is_not_found(desk: Desk) -> None:
    await people(desk, "p2")
    made = (await cashier.pay(desk, await cashier.fine(desk))).json()
    path = f"/v1/payments/{made['id']}"
    assert (await desk.api.get(path, as_=cashier.P1)).json()["amount_cents"] == 450
    assert refusal(await desk.api.get(path, as_=cashier.P2)) == (404, "no-such-payment")


async def test_a_charge_that_is_no_fine_has_no_statement(desk: Desk) -> None:
    loan = await desk.loan()
    path = f"/v1/loans/{loan['id']}/loss"
    lost = await desk.api.post(path, {"price_cents": 5000}, as_=STAFF, at=noon(ON))
    for charge in lost.json()["charges"]:
        statement = await desk.api.get(f"/v1/charges/{charge['id']}/statement", as_=cashier.P1)
        assert refusal(statement) == (404, "no-such-charge"), charge["kind"]


async def test_a_charge_is_neither_waived_nor_refunded_while_its_refund_is_under_way(
    desk: Desk,
) -> None:
    charge = await cashier.fine(desk)
    await cashier.pay(desk, charge)
    await cashier.lowered(desk, charge, 150)
    await cashier.refund_begun(desk, charge)
    assert refusal(await cashier.waive(desk, charge, 1)) == (409, "payment-under-way")
    assert (await cashier.now(desk, charge))["waived_cents"] == 0


async def test_a_refund_is_refused_while_a_payment_of_the_charge_is_under_way(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    await cashier.begun(desk, charge)
    path = f"/v1/charges/{charge['id']}/refund"
    answer = await desk.api.post(path, as_=STAFF, at=noon(cashier.PAID_ON))
    assert refusal(answer) == (409, "payment-under-way")
    assert (await cashier.now(desk, charge))["refund_due_cents"] == 0


async def test_a_joint_payment_is_refused_while_the_provider_does_not_answer_about_another(
    desk: Desk,
) -> None:
    one, two = await cashier.fines(desk, 450, 300)
    pending = await cashier.begun(desk, one)
    await cashier.order(desk, ("standing", "lose"))
    both = await cashier.ask_to_pay(desk, one, two)
    assert refusal(both) == (409, "payment-under-way")
    path = f"/v1/payments/{pending.id}"
    assert (await desk.api.get(path, as_=cashier.P1)).json()["state"] == "pending"
    assert (await cashier.now(desk, two))["outstanding_cents"] == 300
    assert (await cashier.pay(desk, one, two)).status == 201


async def test_without_a_provider_nothing_is_refunded(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    await cashier.pay(desk, charge)
    await cashier.lowered(desk, charge, 150)
    state = desk.api.app.state
    state.settings = state.settings.model_copy(update={"payment_provider": "none"})
    answer = await desk.api.post(f"/v1/charges/{charge['id']}/refund", as_=STAFF)
    assert refusal(answer) == (409, "no-payment-provider")
    assert (await cashier.now(desk, charge))["refund_due_cents"] == 300


# ---- fine suspensions ---------------------------------------------------------------------------


async def test_a_past_or_withdrawn_suspension_is_not_changed(desk: Desk) -> None:
    body = {"starts_on": "2020-12-10", "resumes_on": "2020-12-20", "reason": "epidemic"}
    made = (await desk.api.post("/v1/fine-suspensions", body, as_=STAFF)).json()
    path = f"/v1/fine-suspensions/{made['id']}"
    why = {"reason": "a wrong branch"}
    over = await desk.api.post(f"{path}/withdrawal", why, as_=STAFF, at=noon("2020-12-20"))
    assert refusal(over) == (409, "suspension-over")

    error = {**why, "in_error": True}
    gone = await desk.api.post(f"{path}/withdrawal", error, as_=STAFF, at=noon("2020-12-20"))
    assert (gone.status, gone.json()["withdrawn_because"]) == (200, "a wrong branch")
    again = await desk.api.post(f"{path}/withdrawal", error, as_=STAFF, at=noon("2020-12-20"))
    assert refusal(again) == (409, "suspension-withdrawn")
    later = {"resumes_on": "2021-01-05"}
    for preview in ("", "?preview=true"):
        amended = await desk.api.patch(f"{path}{preview}", later, as_=STAFF)
        assert refusal(amended) == (409, "suspension-withdrawn")
    [stored] = (await desk.api.get("/v1/fine-suspensions", as_=STAFF)).json()["items"]
    assert stored == gone.json()


async def test_a_suspension_that_would_cover_no_day_is_refused(desk: Desk) -> None:
    body = {"starts_on": "2020-12-10", "resumes_on": "2020-12-10", "reason": "epidemic"}
    refused = await desk.api.post("/v1/fine-suspensions", body, as_=STAFF)
    assert refusal(refused) == (409, "resumes-before-start")
    assert (await desk.api.get("/v1/fine-suspensions", as_=STAFF)).json()["items"] == []
