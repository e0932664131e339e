"""The preview of a renewal names its charge; several loans can be renewed at once."""

from typing import Any

from tests.circulation.desk import Desk, noon
from tests.support import Answer, token

P1 = token("p1")
LATE = "2020-12-08"
"""Four days after a loan of 20 November was due: $6.00."""


async def renew_all(desk: Desk, query: str = "", body: Any = None, on: str = LATE) -> Answer:
    return await desk.api.insist("POST", f"/v1/me/renewals{query}", body, as_=P1, at=noon(on))


async def charges(desk: Desk) -> list[int]:
    answer = await desk.api.get("/v1/me/charges", as_=P1)
    return [charge["amount_cents"] for charge in answer.json()["items"]]


async def test_a_renewal_preview_states_the_fine_and_changes_nothing(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    path = f"/v1/loans/{loan['id']}/renewals"
    would = await desk.api.insist("POST", f"{path}?preview=true", as_=P1, at=noon(LATE))
    assert would.json() == {
        "loan_id": loan["id"],
        "due_on": "2020-12-22",
        "renewals_left": 4,
        "fine_cents": 600,
        "currency": "HKD",
    }
    assert (await desk.stored(loan))["renewals"] == 0
    assert await charges(desk) == []
    assert await desk.count("loan.renewed") == 0

    done = (await desk.api.insist("POST", path, as_=P1, at=noon(LATE))).json()
    assert (done["loan"]["due_on"], done["charge"]["amount_cents"]) == ("2020-12-22", 600)
    assert await charges(desk) == [600]


async def test_a_renewal_preview_is_refused_for_the_same_reasons_as_the_renewal(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    path = f"/v1/loans/{loan['id']}/renewals"
    for query in ("?preview=true", ""):
        answer = await desk.api.insist("POST", path + query, as_=P1, at=noon("2020-11-20"))
        assert (answer.status, answer.json()["code"]) == (409, "nothing-to-gain")


async def test_a_preview_of_all_renewals_lists_what_each_would_charge(desk: Desk) -> None:
    late, in_time, new = [await desk.loan(on=day) for day in ("2020-11-20", "2020-11-30", LATE)]
    would = (await renew_all(desk, "?preview=true")).json()
    fines = {one["loan_id"]: one["ok"] and one["effect"]["fine_cents"] for one in would["results"]}
    assert fines == {late["id"]: 600, in_time["id"]: 0, new["id"]: False}
    assert would["fine_cents"] == 600
    assert await desk.count("loan.renewed") == 0

    done = (await renew_all(desk)).json()
    made = {
        one["loan_id"]: one["ok"] and (one["charge"] or {"amount_cents": 0})["amount_cents"]
        for one in done["results"]
    }
    assert made == fines


async def test_a_fine_charged_in_a_joint_renewal_does_not_refuse_the_other_loans(
    desk: Desk,
) -> None:
    first, second, left = [await desk.loan(on="2020-11-20") for _ in range(3)]
    body = {"loan_ids": [second["id"], first["id"], "nobody-has-it"]}
    results = (await renew_all(desk, body=body)).json()["results"]
    assert [one["loan_id"] for one in results] == [first["id"], second["id"], "nobody-has-it"]
    assert [one["ok"] for one in results] == [True, True, False]
    assert results[2]["problem"]["code"] == "no-such-loan"
    assert await charges(desk) == [600, 600]
    assert (await desk.stored(left))["renewals"] == 0


async def test_renewing_another_patrons_loan_is_not_found(desk: Desk) -> None:
    await desk.patron("p2")
    theirs = await desk.loan(on="2020-11-20", to="p2")
    for query in ("?preview=true", ""):
        answer = await renew_all(desk, query, {"loan_ids": [theirs["id"]]})
        [result] = answer.json()["results"]
        assert (result["ok"], result["problem"]["code"]) == (False, "no-such-loan")
    assert (await desk.stored(theirs))["renewals"] == 0
