"""Rules for a new PIN, and the places where somebody chooses one."""

import random
import string
from collections import Counter
from datetime import date
from typing import Any

import pytest
from zxcvbn.matching import L33T_TABLE, enumerate_l33t_subs, relevant_l33t_subtable

from services.accounts.pins.commands import refuse_easy_pin
from services.accounts.pins.refusals import CommonPin, DateAsPin
from services.accounts.pins.rules import easiness, with_signs_read
from services.accounts.refusals import Refusal
from tests.accounts.people import MEI, STAFF, logged_in, registered
from tests.support import Answer, Api, token

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
        ("470296", None),
        ("27-18-28", None),
        ("acegik", None),
        ("mei4821", None),
        ("ab482915", None),
        ("圖書館的密碼", None),
        ("------", "sequential-pin"),
    ],
)
def test_a_sequence_or_a_part_of_the_card_is_too_easy(pin: str, code: str | None) -> None:
    found = easiness(pin, "HK000017A", HARD)
    assert (found.code if found else None) == code


@pytest.mark.parametrize("pin", ["password", "iloveyou", "246810", "112233", "Library", "1Qaz2wsx"])
async def test_a_pin_that_many_people_choose_is_too_easy(pin: str) -> None:
    with pytest.raises(CommonPin, match="Many people use this PIN"):
        await refuse_easy_pin(pin)


POPULAR = {
    "written twice": ["168168", "110110", "518518", "12341234", "20262026", "pw1pw1"],
    "mirrored": ["471174", "83944938"],
    "in pairs": ["884422", "77665533"],
    "of two digits": ["888666", "131311", "1111888"],
    "numbers that sound like words": ["5201314", "1314520", "888168", "521125", "7758258"],
    "lines of a keypad": ["147258", "159753", "258369", "789654", "741963"],
    "a word with digits": [
        *("library1", "hkpl2026", "1234hkpl", "kowloon7", "hk2026", "sunshine1", "Peter-123"),
        *("central2026", "wong1990", "abc123456", "library19901215", "L1brary7"),
    ],
}


@pytest.mark.parametrize("pin", [pin for pins in POPULAR.values() for pin in pins])
async def test_a_popular_pattern_is_too_easy(pin: str) -> None:
    with pytest.raises(CommonPin):
        await refuse_easy_pin(pin)


@pytest.mark.parametrize(
    "pin",
    [
        *("151290", "121590", "901215", "010190", "290200", "15-12-90", "15/12/1990"),
        *("15121990", "12151990", "19901215", "29022000", "5121990", "1551990", "1985612"),
        *("199012", "121990", "201314"),
    ],
)
async def test_a_date_in_any_usual_order_is_too_easy(pin: str) -> None:
    with pytest.raises(DateAsPin):
        await refuse_easy_pin(pin)


@pytest.mark.parametrize("pin", ["320190", "151390", "300290", "15121490", "29022001", "482915"])
async def test_digits_that_are_no_day_are_accepted(pin: str) -> None:
    await refuse_easy_pin(pin)


@pytest.mark.parametrize("pin", ["xq151290zv", "19901215-zkvw", "k12.15.90w"])
async def test_the_holders_date_of_birth_is_no_part_of_the_pin(pin: str) -> None:
    with pytest.raises(DateAsPin):
        await refuse_easy_pin(pin, born_on=date(1990, 12, 15))
    await refuse_easy_pin(pin, born_on=date(1990, 12, 16))


async def test_few_random_pins_are_refused() -> None:
    """The seed is fixed. A ninth of all numbers of six digits can be read as a day."""
    numbers = random.Random(152)  # noqa: S311 - nobody uses them

    async def refused_of(characters: str, length: int) -> Counter[str]:
        found: Counter[str] = Counter()
        for _ in range(1000):
            pin = "".join(numbers.choice(characters) for _ in range(length))
            try:
                await refuse_easy_pin(pin, "HK0001A")
            except Refusal as refusal:
                found[refusal.code] += 1
        return found

    of_six = await refused_of(string.digits, 6)
    assert of_six.pop("date-as-pin") < 140
    assert of_six.total() < 20
    assert (await refused_of(string.digits, 8)).total() < 15
    assert (await refused_of(string.ascii_lowercase + string.digits, 8)).total() < 3


@pytest.mark.parametrize("pin", ["p@ssword", "p@$$w0rd", "!loveyou", "|loveyou", "+es+ing"])
async def test_signs_for_letters_do_not_make_a_pin_hard_to_guess(pin: str) -> None:
    with pytest.raises(CommonPin, match="Many people use this PIN"):
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


@pytest.mark.parametrize("pin", ["470296", "853902", "27-18-28", "correct horse", "no-PIN-of-mine"])
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
    reset = (await api.post("/v1/pin-resets", {"card_number": "HK0001A"})).json()["id"]
    for _ in range(6):  # it is no try to guess the code
        answer = await api.put(
            f"/v1/pin-resets/{reset}", {"reset_code": "12345678", "new_pin": pin}
        )
        assert refused(answer, code)
    await logged_in(api)


async def test_the_date_of_birth_on_file_counts_wherever_somebody_chooses_a_pin(api: Api) -> None:
    child, pin = {"category": "junior", "born_on": "2015-03-08"}, "kz080315w"
    answer = await api.post("/v1/patrons", {**MEI, **child, "pin": pin}, as_=STAFF)
    assert refused(answer, "date-as-pin")
    mei = await registered(api, **child)
    path = f"/v1/patrons/{mei['id']}"
    assert refused(await api.patch(path, {"pin": pin}, as_=STAFF), "date-as-pin")
    own: dict[str, Any] = {"pin": MEI["pin"], "new_pin": pin}
    assert refused(await api.put("/v1/me/pin", own, as_=token(mei["id"])), "date-as-pin")
    other = {"pin": pin, "born_on": "2015-03-09"}
    assert (await api.patch(path, other, as_=STAFF)).status == 200


async def test_the_card_that_counts_is_the_new_one(api: Api) -> None:
    mei = await registered(api, card_number="HK000017A")
    path = f"/v1/patrons/{mei['id']}"
    assert refused(await api.patch(path, {"pin": "000017"}, as_=STAFF), "card-in-pin")
    both = {"card_number": "HK5293817B", "pin": "293817"}
    assert refused(await api.patch(path, both, as_=STAFF), "card-in-pin")
    own: dict[str, Any] = {"pin": MEI["pin"], "new_pin": "hk000017a"}
    assert refused(await api.put("/v1/me/pin", own, as_=token(mei["id"])), "card-in-pin")
