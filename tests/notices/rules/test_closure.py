"""A closure of several branches: its state, and the branches that a change applies to."""

from datetime import UTC, date, datetime

import pytest

from services.notices.branches.refusals import NotInClosure
from services.notices.branches.rules.branch import Branch, BranchClosure, close, register, withdraw
from services.notices.branches.rules.hours import Hours
from services.notices.closures.rules import Closure, amended, concerned, state_of

AT = datetime(2020, 12, 9, 10, tzinfo=UTC)
FIRST = date(2020, 12, 10)
CLOSURE = Closure("a", FIRST, "Works", ("HKCL", "LFU", "TPO"), (), None, AT)
WEEK = tuple(Hours(weekday, "09:00", "20:00") for weekday in range(6))


def branch(code: str, kind: str, end: int | None = None, closure_id: str = "a") -> Branch:
    """A branch that is closed from 10 December until a day of December, or with no end."""
    until = None if end is None else date(2020, 12, end)
    made = register(code, code, kind, WEEK, date(2020, 11, 1))
    return close(made, closure_id, FIRST, until, "Works", at=AT)


def withdrawn(one: Branch) -> Branch:
    return withdraw(one, "a", in_error=True, at=AT, today=FIRST)


@pytest.mark.parametrize(
    ("ends", "reopened_on"),
    [
        ([20, 22, 21], date(2020, 12, 22)),
        ([20, None, 21], None),
        ([None, None], None),
        ([], None),
    ],
    ids=["the last of them", "one without an end", "none with an end", "no branch"],
)
def test_a_closure_has_reopened_when_all_its_branches_have(
    ends: list[int | None], reopened_on: date | None
) -> None:
    branches = [branch(f"B{number}", "small", end) for number, end in enumerate(ends)]
    assert state_of(CLOSURE, branches).reopened_on == reopened_on


def test_a_closure_is_withdrawn_once_it_is_for_all_its_branches() -> None:
    here, there = branch("HKCL", "central"), branch("LFU", "small")
    assert not state_of(CLOSURE, [here, withdrawn(there)]).withdrawn
    gone = state_of(
        CLOSURE, [withdrawn(there), withdrawn(here), branch("TPO", "district", 20, "b")]
    )
    assert gone.withdrawn
    assert [covered.branch for covered in gone.covered] == ["HKCL", "LFU"], "in order; not of b"


def test_an_amendment_changes_what_it_names() -> None:
    moved = amended(CLOSURE, date(2020, 12, 12), None)
    assert (moved.starts_on, moved.reason, moved.version) == (date(2020, 12, 12), "Works", 2)
    renamed = amended(moved, None, "Typhoon")
    assert (renamed.starts_on, renamed.reason) == (moved.starts_on, "Typhoon")


@pytest.mark.parametrize(
    ("codes", "kinds", "found"),
    [
        pytest.param((), (), ["HKCL", "TPO"], id="all that are still closed"),
        pytest.param((), ("central", "small"), ["HKCL"], id="of some kinds, those still closed"),
        pytest.param(("LFU",), (), ["LFU"], id="one named by its code, though it is open again"),
        pytest.param(("LFU",), ("district",), ["LFU", "TPO"], id="by code and by kind"),
        pytest.param((), ("mobile",), [], id="no branch of the kind"),
    ],
)
def test_a_change_applies_to_named_branches_and_to_others_that_are_still_closed(
    codes: tuple[str, ...], kinds: tuple[str, ...], found: list[str]
) -> None:
    def stands(here: BranchClosure) -> bool:
        return not here.over(date(2020, 12, 15))

    covered = [
        branch("HKCL", "central"),
        branch("LFU", "small", 12),
        branch("TPO", "district", 20),
        branch("STPL", "central", None, "b"),
    ]
    chosen = concerned(CLOSURE, covered, frozenset(codes), frozenset(kinds), stands)
    assert [one.id for one in chosen] == found
    with pytest.raises(NotInClosure, match="STPL"):
        concerned(CLOSURE, covered, frozenset({*codes, "STPL"}), frozenset(kinds), stands)
