"""The states of a copy: the transitions from each, and the copy's branch afterwards."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from services.circulation.refusals import LentBeforeReturn, Refusal
from services.circulation.rules import copy as copy_rules
from services.circulation.rules.copy import Copy, CopyState

DAY = date(2021, 2, 19)
HOME, AWAY = "HKCL", "LFU"
COPY = Copy("c1", "t1", "B1", "adult", HOME)
STATES: dict[CopyState, Copy] = {
    CopyState.AVAILABLE: COPY,
    CopyState.TO_FETCH: copy_rules.set_aside(COPY, "h1"),
    CopyState.ON_LOAN: copy_rules.lend(COPY, DAY, branch_code=HOME),
    CopyState.ON_SHELF: copy_rules.keep(COPY, "h1"),
    CopyState.IN_TRANSIT: copy_rules.send(COPY, AWAY, "h1"),
    CopyState.LOST: copy_rules.miss(COPY),
    CopyState.DAMAGED: copy_rules.damage(COPY),
    CopyState.WITHDRAWN: copy_rules.withdraw(COPY),
    CopyState.ON_ORDER: replace(COPY, state=CopyState.ON_ORDER),
    CopyState.IN_PROCESS: copy_rules.process(COPY),
}
FOR_HOLDS = ("to-fetch", "on-shelf", "in-transit")
STEPS: dict[str, tuple[Callable[[Copy], Copy], dict[str, str]]] = {
    "lent": (
        lambda copy: copy_rules.lend(copy, DAY, branch_code=AWAY, hold_id="h1"),
        dict.fromkeys(("available", *FOR_HOLDS), "on-loan"),
    ),
    "taken back": (
        lambda copy: copy_rules.take_back(copy, DAY, branch_code=AWAY),
        dict.fromkeys(("on-loan", "lost", "withdrawn"), "available"),
    ),
    "set aside": (lambda copy: copy_rules.set_aside(copy, "h2"), {"available": "to-fetch"}),
    "kept": (lambda copy: copy_rules.keep(copy, "h2"), {"available": "on-shelf"}),
    "sent": (lambda copy: copy_rules.send(copy, AWAY), {"available": "in-transit"}),
    "passed on": (
        lambda copy: copy_rules.hand_on(copy, None),
        {"to-fetch": "available", "on-shelf": "available", "in-transit": "in-transit"},
    ),
    "received": (
        lambda copy: copy_rules.arrive(copy, AWAY),
        dict.fromkeys(("to-fetch", "in-transit", "on-order", "in-process"), "available"),
    ),
    "lost": (copy_rules.lose, {"on-loan": "lost"}),
    "missing": (
        copy_rules.miss,
        dict.fromkeys(("available", *FOR_HOLDS), "lost"),
    ),
    "damaged": (
        copy_rules.damage,
        dict.fromkeys(("available", *FOR_HOLDS), "damaged"),
    ),
    "withdrawn": (
        copy_rules.withdraw,
        dict.fromkeys(
            ("available", *FOR_HOLDS, "lost", "damaged", "on-order", "in-process"), "withdrawn"
        ),
    ),
    "recovered": (
        lambda copy: copy_rules.recover(copy, AWAY),
        dict.fromkeys(("lost", "damaged", "withdrawn"), "available"),
    ),
    "processed": (
        copy_rules.process,
        dict.fromkeys(("available", "on-order", "damaged"), "in-process"),
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
        ("on-order", "copy-not-ready"),
        ("in-process", "copy-not-ready"),
    ],
)
def test_a_refused_check_out_states_its_reason(state: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        copy_rules.lend(STATES[CopyState(state)], DAY, branch_code=HOME, hold_id="another")
    assert refused.value.code == code


def test_a_copy_is_at_its_home_branch_by_default() -> None:
    assert COPY.at_branch == HOME
    away = copy_rules.take_back(STATES[CopyState.ON_LOAN], DAY, branch_code=AWAY)
    travels = copy_rules.send(away, HOME)
    assert (away.at_branch, travels.at_branch, travels.bound_for) == (AWAY, AWAY, HOME)
    assert copy_rules.arrive(travels, HOME).at_branch == HOME


def test_a_copy_in_transit_that_is_at_the_desk_can_be_lent() -> None:
    assert (
        copy_rules.lend(copy_rules.send(COPY, AWAY), DAY, branch_code=HOME).state
        is CopyState.ON_LOAN
    )


def test_a_copy_in_transit_continues_when_its_hold_ends() -> None:
    passed = copy_rules.hand_on(STATES[CopyState.IN_TRANSIT], "h2")
    assert (passed.state, passed.bound_for, passed.hold_id) == (CopyState.IN_TRANSIT, AWAY, "h2")


def test_a_copy_cannot_be_lent_before_its_last_return() -> None:
    with pytest.raises(LentBeforeReturn):
        copy_rules.lend(replace(COPY, returned_on=DAY), date(2021, 2, 18), branch_code=HOME)
