"""Rules for a new PIN, and the places where somebody chooses one."""

from typing import Any

import pytest
from zxcvbn.matching import L33T_TABLE, enumerate_l33t_subs, relevant_l33t_subtable

from services.accounts.domain.pin_rules import easiness, with_signs_read
from services.accounts.usecases.check_pin import refuse_easy_pin
from tests.accounts.people import MEI, STAFF, logged_in, registered
from tests.support import OPS, Answer, Api, token

HARD = 10.0**6


@pytest.mark.parametrize(
    ("pin", "code"),
    [
        ("111111", "sequential-pin"),
        ("123456", "sequential-pin"),
        ("987654", "sequential-pin"),
        ("890123", "sequential-pin"),
        ("135791", "sequential-pin"),
        ("12-34-56", "sequential-pin"),
        ("ABCdefgh", "sequential-pin"),
        ("000017", "card-in-pin"),
        ("710000", "card-in-pin"),
        ("hk-000017a", "card-in-pin"),
        ("my HK000017A!", "card-in-pin"),
        ("470216", None),
        ("27-18-28", None),
        ("acegik", None),
        ("圖書館的密碼", None),
        ("------", "sequential-pin"),
    ],
)
def test_a_sequence_or_a_part_of_the_card_is_too_easy(pin: str, code: str | None) -> None:
    found = easiness(pin, "HK000017A", HARD)
    assert (found.code if found else None) == code


@pytest.mark.parametrize("pin", ["password", "iloveyou", "246810", "112233", "Library", "1Qaz2wsx"])
async def test_a_pin_that_many_people_choose_is_too_easy(pin: str) -> None:
    with pytest.raises(Exception, match="Many people use this PIN"):
        await refuse_easy_pin(pin)


@pytest.mark.parametrize("pin", ["p@ssword", "p@$$w0rd", "!loveyou", "|loveyou", "+es+ing"])
async def test_signs_for_letters_do_not_make_a_pin_hard_to_guess(pin: str) -> None:
    with pytest.raises(Exception, match="Many people use this PIN"):
        await refuse_easy_pin(pin)


@pytest.mark.usual_hashes
async def test_pins_are_stored_with_at_least_owasps_parameters(api: Api) -> None:
    mei = await registered(api)
    holder = await api.app.state.database.cardholders.find_one({"_id": mei["id"]})
    assert holder["pin_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_pin_of_many_signs_is_estimated_as_fast_as_one_of_digits() -> None:
    signs = "".join(sign for each in L33T_TABLE.values() for sign in each)
    for pin in (signs, "0123456789"):
        read = relevant_l33t_subtable(with_signs_read(pin), L33T_TABLE)
        assert len(enumerate_l33t_subs(read)) <= 8


@pytest.mark.parametrize("pin", ["470216", "853902", "27-18-28", "correct horse", "no-PIN-of-mine"])
async def test_other_pins_are_accepted(pin: str) -> None:
    await refuse_easy_pin(pin, "HK0001A")


def refused(answer: Answer, code: str) -> bool:
    return (answer.status, answer.json()["code"]) == (409, code)


@pytest.mark.parametrize(
    ("pin", "code"), [("123456", "sequential-pin"), ("password", "common-pin")]
)
async def test_an_easy_pin_is_refused_wherever_somebody_chooses_one(
    api: Api, pin: str, code: str
) -> None:
    assert refused(await api.post("/v1/patrons", {**MEI, "pin": pin}, as_=STAFF), code)
    mei = await registered(api)
    path = f"/v1/patrons/{mei['id']}"
    assert refused(await api.patch(path, {"pin": pin}, as_=STAFF), code)
    own: dict[str, Any] = {"pin": MEI["pin"], "new_pin": pin}
    assert refused(await api.put("/v1/me/pin", own, as_=token(mei["id"])), code)
    staff = {"card_number": "S-1", "pin": pin, "name": "Lee", "role": "staff"}
    assert refused(await api.post("/v1/staff", staff, as_=OPS), code)
    reset = (await api.post("/v1/pin-resets", {"card_number": "HK0001A"})).json()["id"]
    for _ in range(6):  # it is no try to guess the code
        answer = await api.put(
            f"/v1/pin-resets/{reset}", {"reset_code": "12345678", "new_pin": pin}
        )
        assert refused(answer, code)
    await logged_in(api)


async def test_the_card_that_counts_is_the_new_one(api: Api) -> None:
    mei = await registered(api, card_number="HK000017A")
    path = f"/v1/patrons/{mei['id']}"
    assert refused(await api.patch(path, {"pin": "000017"}, as_=STAFF), "card-in-pin")
    both = {"card_number": "HK5293817B", "pin": "293817"}
    assert refused(await api.patch(path, both, as_=STAFF), "card-in-pin")
    own: dict[str, Any] = {"pin": MEI["pin"], "new_pin": "hk000017a"}
    assert refused(await api.put("/v1/me/pin", own, as_=token(mei["id"])), "card-in-pin")
