"""Rules of self-checkout by phone: codes of the day, tries, and where a copy has to stand."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.circulation.refusals import CopyElsewhere, TooManyDayCodes
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.self_checkout import (
    DIGITS,
    MOST_WRONG_CODES,
    DayCodeTries,
    SelfCheckout,
    check_stands_at,
    code_of_day,
    is_code_of_day,
    tried,
)

DAY = date(2020, 12, 1)
LIBRARY = SelfCheckout(id="HKCL", allowed=True, secret="of this library")
COPY = Copy("c1", "t1", "K1", "adult", "HKCL")


def test_each_library_day_and_secret_has_a_code_of_its_own() -> None:
    code = code_of_day(LIBRARY, DAY)
    assert len(code) == DIGITS
    assert code.isdecimal()
    assert is_code_of_day(LIBRARY, DAY, code)
    others = [replace(LIBRARY, id="LFU"), replace(LIBRARY, secret="another")]
    assert not any(is_code_of_day(other, DAY, code) for other in others)
    assert not is_code_of_day(LIBRARY, DAY + timedelta(days=1), code)
    assert "of this library" not in repr(LIBRARY)


def test_after_too_many_wrong_codes_not_even_the_right_one_is_taken_until_the_next_day() -> None:
    tries = DayCodeTries(id="p1", day=DAY)
    for _ in range(MOST_WRONG_CODES):
        tries = tried(tried(tries, DAY, right=True), DAY, right=False)
    for right in (True, False):
        with pytest.raises(TooManyDayCodes):
            tried(tries, DAY, right=right)
    assert tried(tries, DAY + timedelta(days=1), right=False).wrong == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"at_branch": "LFU"},
        {"state": CopyState.IN_TRANSIT, "bound_for": "LFU"},
        {"branch_code": "LFU", "at_branch": "HKCL"},
    ],
    ids=["at another library", "on its way", "of another library"],
)
def test_a_copy_that_should_not_be_there_goes_to_the_desk(changed: dict[str, object]) -> None:
    with pytest.raises(CopyElsewhere):
        check_stands_at(replace(COPY, **changed), "HKCL")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"branch_code": "LFU", "at_branch": "HKCL", "state": CopyState.ON_SHELF, "hold_id": "h1"},
        {"state": CopyState.LOST, "at_branch": "LFU"},
    ],
    ids=["on its shelf", "on the hold shelf", "refused for its state"],
)
def test_a_copy_on_its_own_or_the_hold_shelf_may_be_lent(changed: dict[str, object]) -> None:
    check_stands_at(replace(COPY, **changed), "HKCL")  # type: ignore[arg-type]
