"""The states of a copy: the transitions from each, and the copy's branch afterwards."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from services.circulation.domain import copy as rules
from services.circulation.domain.copy import Copy, CopyState
from services.circulation.domain.refusals.copies import LentBeforeReturn
from services.circulation.domain.refusals.refusal import Refusal

DAY = date(2021, 2, 19)
HOME, AWAY = "HKCL", "LFU"
COPY = Copy("c1", "t1", "B1", "adult", HOME)
STATES: dict[CopyState, Copy] = {
    CopyState.AVAILABLE: COPY,
    CopyState.TO_FETCH: rules.set_aside(COPY, "h1"),
    CopyState.ON_LOAN: rules.lend(COPY, DAY, branch_code=HOME),
    CopyState.ON_SHELF: rules.keep(COPY, "h1"),
    CopyState.IN_TRANSIT: rules.send(COPY, AWAY, "h1"),
    CopyState.LOST: rules.miss(COPY),
    CopyState.DAMAGED: rules.damage(COPY),
    CopyState.WITHDRAWN: rules.withdraw(COPY),
}
FOR_HOLDS = ("to-fetch", "on-shelf", "in-transit")
STEPS: dict[str, tuple[Callable[[Copy], Copy], dict[str, str]]] = {
    "lent": (
        lambda copy: rules.lend(copy, DAY, branch_code=AWAY, hold_id="h1"),
        dict.fromkeys(("available", *FOR_HOLDS), "on-loan"),
    ),
    "taken back": (
        lambda copy: rules.take_back(copy, DAY, branch_code=AWAY),
        dict.fromkeys(("on-loan", "lost", "withdrawn"), "available"),
    ),
    "set aside": (lambda copy: rules.set_aside(copy, "h2"), {"available": "to-fetch"}),
    "kept": (lambda copy: rules.keep(copy, "h2"), {"available": "on-shelf"}),
    "sent": (lambda copy: rules.send(copy, AWAY), {"available": "in-transit"}),
    "passed on": (
        lambda copy: rules.hand_on(copy, None),
        {"to-fetch": "available", "on-shelf": "available", "in-transit": "in-transit"},
    ),
    "received": (
        lambda copy: rules.arrive(copy, AWAY),
        dict.fromkeys(("to-fetch", "in-transit"), "available"),
    ),
    "lost": (rules.lose, {"on-loan": "lost"}),
    "missing": (
        rules.miss,
        dict.fromkeys(("available", *FOR_HOLDS), "lost"),
    ),
    "damaged": (
        rules.damage,
        dict.fromkeys(("available", *FOR_HOLDS), "damaged"),
    ),
    "withdrawn": (
        rules.withdraw,
        dict.fromkeys(("available", *FOR_HOLDS, "lost", "damaged"), "withdrawn"),
    ),
    "recovered": (
        lambda copy: rules.recover(copy, AWAY),
        dict.fromkeys(("lost", "damaged", "withdrawn"), "available"),
    ),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", CopyState)
def test_only_listed_state_transitions_of_a_copy_are_allowed(step: str, state: CopyState) -> None:
    copy = STATES[state]
    take, leads_to = STEPS[step]
    if state.value not in leads_to:
        with pytest.raises(Refusal) as refused:
            take(copy)
        assert refused.value.reason.endswith(".")
        return
    after = take(copy)
    assert (after.state.value, after.version) == (leads_to[state.value], copy.version + 1)
    # Only a copy set aside, kept or sent has a hold; only one in transit has a destination.
    assert (after.bound_for is not None) == (after.state is CopyState.IN_TRANSIT)
    if after.hold_id is not None:
        assert after.state.value in FOR_HOLDS


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("on-loan", "copy-on-loan"),
        ("to-fetch", "copy-kept"),
        ("on-shelf", "copy-kept"),
        ("in-transit", "copy-kept"),
        ("lost", "copy-lost"),
        ("damaged", "copy-damaged"),
        ("withdrawn", "copy-withdrawn"),
    ],
)
def test_a_refused_check_out_states_its_reason(state: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        rules.lend(STATES[CopyState(state)], DAY, branch_code=HOME, hold_id="another")
    assert refused.value.code == code


def test_a_copy_is_at_its_home_branch_by_default() -> None:
    assert COPY.at_branch == HOME
    away = rules.take_back(STATES[CopyState.ON_LOAN], DAY, branch_code=AWAY)
    travels = rules.send(away, HOME)
    assert (away.at_branch, travels.at_branch, travels.bound_for) == (AWAY, AWAY, HOME)
    assert rules.arrive(travels, HOME).at_branch == HOME


def test_a_copy_in_transit_that_is_at_the_desk_can_be_lent() -> None:
    assert rules.lend(rules.send(COPY, AWAY), DAY, branch_code=HOME).state is CopyState.ON_LOAN


def test_a_copy_in_transit_continues_when_its_hold_ends() -> None:
    passed = rules.hand_on(STATES[CopyState.IN_TRANSIT], "h2")
    assert (passed.state, passed.bound_for, passed.hold_id) == (CopyState.IN_TRANSIT, AWAY, "h2")


def test_a_copy_cannot_be_lent_before_its_last_return() -> None:
    with pytest.raises(LentBeforeReturn):
        rules.lend(replace(COPY, returned_on=DAY), date(2021, 2, 18), branch_code=HOME)
