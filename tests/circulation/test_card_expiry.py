"""An expired card: nothing is lent, renewed or reserved, everything can be returned and paid."""

import random
from datetime import date, timedelta

import pytest

from services.circulation.refusals import CardExpired
from services.circulation.rules.patron import check_card, has_expired
from shared.contracts.accounts import (
    PatronCardExpiring,
    PatronCardRenewed,
    PatronRegistered,
    PatronSnapshot,
    PatronUpdated,
)
from shared.ids import card_digest
from tests.circulation.desk import KEY, STAFF, STATION, Desk, card_of, noon
from tests.circulation.shelf import hold, lent_title, now, people, reserve
from tests.support import token

LAST = date(2020, 11, 25)
AFTER = "2020-11-26"


def told(kind: type[PatronSnapshot], version: int, expires_on: date | None) -> PatronSnapshot:
    """Return an event of the patron p7, whose card expires."""
    return kind(
        version=version,
        patron_id="p7",
        category="adult",
        home_branch="HKCL",
        language="en",
        status="active",
        card_digest=card_digest(card_of("p7"), KEY),
        card_expires_on=expires_on,
    )


def test_a_card_is_valid_through_its_last_day() -> None:
    assert not has_expired(None, LAST)
    assert not has_expired(LAST, LAST)
    assert has_expired(LAST, LAST + timedelta(days=1))
    with pytest.raises(CardExpired, match="2020-11-25"):
        check_card(LAST, LAST + timedelta(days=1))


async def test_an_expired_card_returns_and_pays_and_borrows_again_once_renewed(desk: Desk) -> None:
    await desk.hear(told(PatronRegistered, 1, LAST))
    late, kept, other = [(await desk.copies(1))[0] for _ in range(3)]
    await desk.lend(late, to="p7", on="2020-11-02")
    [lent] = await desk.lend(kept, to="p7", on=str(LAST))
    assert lent["loan"]["due_on"] == "2020-12-09", "the expiry leaves the due date as it is"

    [refused] = await desk.lend(other, to="p7", on=AFTER)
    [way] = refused["problem"]["ways_out"]
    assert [step["do"] for step in way["steps"]] == ["renew-card"]
    assert refused["problem"]["code"] == "card-expired"
    assert "Renew your card in My Account or at any library" in refused["problem"]["detail"]
    renewal = f"/v1/loans/{lent['loan']['id']}/renewals"
    answer = await desk.api.post(renewal, as_=token("p7"), at=noon(AFTER))
    assert (answer.status, answer.json()["code"]) == (409, "card-expired")
    assert [way["steps"][0]["do"] for way in answer.json()["ways_out"]] == ["renew-card"]
    wanted = (await desk.loan())["title_id"]
    answer = await reserve(desk, "p7", wanted, on=AFTER)
    assert (answer.status, answer.json()["code"]) == (409, "card-expired")

    [back] = await desk.take_back(late, on=AFTER)
    charge = back["charge"]
    payment = {"charge_ids": [charge["id"]]}
    answer = await desk.api.post("/v1/payments", payment, as_=token("p7"), at=noon(AFTER))
    assert answer.status == 201, answer.body

    await desk.hear(told(PatronCardRenewed, 2, date(2021, 11, 26)))
    assert (await desk.lend(other, to="p7", on=AFTER))[0]["ok"]
    assert (await desk.api.post(renewal, as_=token("p7"), at=noon(AFTER))).status == 200
    assert (await reserve(desk, "p7", wanted, on=AFTER)).status == 201


async def test_a_hold_of_an_expired_card_is_passed_over_and_served_once_renewed(
    desk: Desk,
) -> None:
    await people(desk, "p2")
    await desk.hear(told(PatronRegistered, 1, LAST))
    title, barcode = await lent_title(desk)
    first, second = await hold(desk, "p7", title), await hold(desk, "p2", title)
    [back] = await desk.take_back(barcode, on=AFTER)
    assert back["hold"]["id"] == second["id"]
    body = {"copies": [{"barcode": f"{barcode}-2", "category": "adult", "branch": "HKCL"}]}
    await desk.api.post(f"/v1/titles/{title}/copies", body, as_=STAFF, at=noon(AFTER))
    assert (await now(desk, first))["state"] == "waiting"
    await desk.hear(told(PatronCardRenewed, 2, date(2021, 11, 26)), on=date(2020, 11, 26))
    assert (await now(desk, first))["state"] == "to-fetch"


async def test_an_older_event_never_brings_a_former_expiry_back(desk: Desk) -> None:
    life = [
        told(PatronRegistered, 1, LAST),
        told(PatronUpdated, 2, LAST),
        told(PatronCardExpiring, 3, LAST),
        told(PatronCardRenewed, 4, date(2021, 11, 25)),
    ]
    for seed in range(10):
        events = life * 2
        random.Random(seed).shuffle(events)  # noqa: S311
        await desk.hear(*events)
        stored = await desk.api.app.state.database.patrons.find_one({"_id": "p7"})
        assert (stored["version"], stored["card_expires_on"]) == (4, "2021-11-25")
        await desk.api.app.state.database.patrons.delete_one({"_id": "p7"})


async def test_an_offline_check_out_with_an_expired_card_is_recorded_as_a_conflict(
    desk: Desk,
) -> None:
    await desk.hear(told(PatronRegistered, 1, date(2020, 11, 18)))
    [barcode] = await desk.copies(1)
    body = {
        "card_number": card_of("p7"),
        "barcodes": [barcode],
        "branch": "HKCL",
        "at": "2020-11-19T21:30:00+08:00",
        "offline": True,
    }
    answer = await desk.api.post("/v1/checkouts", body, as_=STATION, at=noon("2020-11-20"))
    [result] = answer.json()["results"]
    assert (result["ok"], result["problem"]["code"]) == (True, "card-expired")
