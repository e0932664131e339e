"""Self-checkout by phone over HTTP: the code of the day, what is lent, and the gate."""

import asyncio
from typing import Any

from services.circulation.rules.self_checkout import MOST_WRONG_CODES
from shared.contracts.accounts import PatronErased
from tests.circulation.desk import STAFF, STATION, Desk, noon, patron
from tests.circulation.shelf import kept, people
from tests.support import Answer, token

P1 = token("p1")
DAY, NEXT = "2020-11-20", "2020-11-21"
PATH = "/v1/self-checkouts/HKCL"


async def allow(desk: Desk, *, allowed: bool = True, branch: str = "HKCL") -> str | None:
    """Allow self-checkout at a library, or end it; return its code of DAY."""
    path = f"/v1/self-checkouts/{branch}"
    answer = await desk.api.insist("PUT", path, {"allowed": allowed}, as_=STAFF, at=noon(DAY))
    assert answer.status == 200, answer.json()
    code: str | None = answer.json()["day_code"]
    return code


def other_than(code: str | None, by: int = 1) -> str:
    return f"{(int(code or 0) + by) % 10**6:06}"


async def borrow(
    desk: Desk,
    barcode: str,
    code: str | None,
    *,
    who: str = "p1",
    on: str = DAY,
    branch: str = "HKCL",
    **more: Any,
) -> Answer:
    body = {"branch": branch, "day_code": code, "barcode": barcode}
    path = "/v1/me/self-checkouts"
    return await desk.api.insist("POST", path, body, as_=token(who), at=noon(on), **more)


async def problem(desk: Desk, barcode: str, code: str | None, **more: Any) -> tuple[str, Any]:
    """Return the code of the refusal of a copy, and its ways out."""
    answer = await borrow(desk, barcode, code, **more)
    assert answer.status == 200, answer.json()
    result = answer.json()
    assert (result["ok"], result["loan"]) == (False, None)
    return result["problem"]["code"], result["problem"]["ways_out"]


async def gate(desk: Desk, barcode: str) -> bool:
    answer = await desk.api.get(f"/v1/copies/{barcode}/gate", as_=STATION)
    assert set(answer.json()) == {"barcode", "may_leave"}
    return bool(answer.json()["may_leave"])


async def test_a_patron_borrows_with_the_code_of_the_day_and_the_gate_lets_the_copy_out(
    desk: Desk,
) -> None:
    [barcode] = await desk.copies(1)
    code = await allow(desk)
    listed = await desk.api.get("/v1/self-checkouts")
    assert listed.json() == {"branches": ["HKCL"]}
    assert not await gate(desk, barcode)
    answer = await borrow(desk, barcode, code, key="once")
    result = answer.json()
    assert (result["ok"], result["title"]) == (True, "Factory In and Out")
    assert (result["loan"]["patron_id"], result["loan"]["due_on"]) == ("p1", "2020-12-04")
    assert await gate(desk, barcode)
    assert (await borrow(desk, barcode, code, key="once")).json() == result
    assert await desk.count("loan.checked-out") == 1
    assert (await problem(desk, barcode, code))[0] == "copy-on-loan"
    assert (await desk.api.get(f"/v1/copies/{barcode}/gate", as_=P1)).status == 403
    assert (await desk.api.get("/v1/copies/none/gate", as_=STATION)).status == 404


async def test_nobody_borrows_by_phone_where_it_is_not_allowed(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    code = await allow(desk)
    refused = await borrow(desk, barcode, code, branch="LFU")
    assert (refused.status, refused.json()["code"]) == (409, "self-checkout-off")
    await allow(desk, allowed=False)
    refused = await borrow(desk, barcode, code)
    assert (refused.status, refused.json()["code"]) == (409, "self-checkout-off")
    assert (await desk.api.get("/v1/self-checkouts")).json() == {"branches": []}
    shown = (await desk.api.get(PATH, as_=STAFF)).json()
    assert (shown["allowed"], shown["day_code"]) == (False, None)
    assert (await desk.api.post(f"{PATH}/secret", as_=STAFF)).status == 409
    answer = await desk.api.put("/v1/self-checkouts/NONE", {"allowed": True}, as_=STAFF)
    assert (answer.status, answer.json()["code"]) == (404, "unknown-branch")
    for as_ in (P1, STATION):
        assert (await desk.api.get(PATH, as_=as_)).status == 403
        assert (await desk.api.put(PATH, {"allowed": True}, as_=as_)).status == 403


async def test_a_code_ends_with_its_day_and_with_its_secret(desk: Desk) -> None:
    first, other = await desk.copies(2)
    code = await allow(desk)
    assert (await borrow(desk, first, code, on=NEXT)).json()["code"] == "wrong-day-code"
    replaced = await desk.api.insist("POST", f"{PATH}/secret", as_=STAFF, at=noon(DAY))
    assert replaced.json()["day_code"] != code
    assert (await borrow(desk, first, code)).json()["code"] == "wrong-day-code"
    assert (await borrow(desk, first, replaced.json()["day_code"])).json()["ok"]
    # Ended and allowed again, the library has the codes that it had.
    await allow(desk, allowed=False)
    assert await allow(desk) == replaced.json()["day_code"]
    assert (await borrow(desk, other, await allow(desk, branch="LFU"))).json()["code"] == (
        "wrong-day-code"
    )


async def test_wrong_codes_are_counted_by_patron_and_day_in_all_replicas(
    desk: Desk, second: Desk
) -> None:
    [barcode] = await desk.copies(1)
    code = await allow(desk)
    await people(desk, "p2")
    wrong = [other_than(code, by) for by in range(1, 2 * MOST_WRONG_CODES + 1)]
    answers = await asyncio.gather(
        *(borrow((desk, second)[at % 2], barcode, one) for at, one in enumerate(wrong))
    )
    told = [answer.json()["code"] for answer in answers]
    assert {answer.status for answer in answers} == {409}
    assert told.count("wrong-day-code") == MOST_WRONG_CODES
    assert told.count("too-many-day-codes") == MOST_WRONG_CODES
    assert (await borrow(desk, barcode, code)).json()["code"] == "too-many-day-codes"
    assert (await borrow(desk, barcode, code, who="p2")).json()["ok"]
    [free] = await desk.copies(1)
    [tomorrow] = [(await desk.api.get(PATH, as_=STAFF, at=noon(NEXT))).json()["day_code"]]
    assert (await borrow(desk, free, tomorrow, on=NEXT)).json()["ok"]


async def test_a_repeated_wrong_code_is_counted_once(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    code = await allow(desk)
    for _ in range(MOST_WRONG_CODES + 1):
        answer = await borrow(desk, barcode, other_than(code), key="once")
        assert (answer.status, answer.json()["code"]) == (409, "wrong-day-code")
    assert (await borrow(desk, barcode, code)).json()["ok"]


async def test_a_copy_that_does_not_stand_there_goes_to_the_desk(desk: Desk) -> None:
    code = await allow(desk)
    asked = [{"steps": [{"ask": "staff", "do": "ask"}]}]
    [elsewhere] = await desk.copies(1, branch="LFU")
    assert await problem(desk, elsewhere, code) == ("copy-elsewhere", asked)
    # Returned at this library, a copy of another one is on its way.
    [sent] = await desk.copies(1, branch="LFU")
    await desk.lend(sent, on=DAY, branch="LFU")
    await desk.take_back(sent, on=DAY)
    assert await problem(desk, sent, code) == ("copy-elsewhere", asked)
    assert await problem(desk, "NONE", code) == ("no-such-copy", asked)
    assert await desk.count("loan.checked-out") == 1


async def test_a_kept_copy_is_lent_to_the_patron_who_waits_for_it_alone(desk: Desk) -> None:
    await people(desk, "p2")
    code = await allow(desk)
    [barcode] = await desk.copies(1)
    await kept(desk, "p2", barcode)
    assert (await problem(desk, barcode, code))[0] == "copy-kept"
    assert (await borrow(desk, barcode, code, who="p2")).json()["ok"]
    assert await desk.count("hold.collected") == 1


async def test_a_blocked_patron_and_an_expired_card_borrow_nothing(desk: Desk) -> None:
    code = await allow(desk)
    [barcode] = await desk.copies(1)
    await desk.hear(patron("p2", status="blocked", blocked_by=("staff",)))
    assert (await problem(desk, barcode, code, who="p2"))[0] == "patron-blocked"
    await desk.hear(patron("p3", card_expires_on="2020-11-01"))
    assert (await problem(desk, barcode, code, who="p3"))[0] == "card-expired"
    assert not await gate(desk, barcode)


async def test_two_phones_at_once_do_not_borrow_one_copy(desk: Desk, second: Desk) -> None:
    await people(desk, "p2")
    code = await allow(desk)
    [barcode] = await desk.copies(1)
    answers = await asyncio.gather(
        borrow(desk, barcode, code), borrow(second, barcode, code, who="p2")
    )
    assert sorted(answer.json()["ok"] for answer in answers) == [False, True]


async def test_an_erased_patron_has_no_tries(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    await borrow(desk, barcode, other_than(await allow(desk)))
    tries = desk.api.app.state.database.day_code_tries
    assert await tries.count_documents({"_id": "p1"}) == 1
    await desk.hear(PatronErased(**patron(version=2, status="erased", card_digest="").model_dump()))
    assert await tries.count_documents({}) == 0
