"""The choice of the policy row for a loan."""

from typing import Any

import pytest

from services.circulation.rules.policy import HONG_KONG, Policy, PolicyMatrix, Scope

MATRIX = PolicyMatrix(
    [
        Policy(id="all"),
        Policy(id="junior", patron_category="junior"),
        Policy(id="children's", copy_category="children"),
        Policy(id="mobile", branch_kind="mobile"),
        Policy(id="junior at mobile", patron_category="junior", branch_kind="mobile"),
        Policy(id="children's at mobile", copy_category="children", branch_kind="mobile"),
        Policy(
            id="each named", patron_category="junior", copy_category="adult", branch_kind="small"
        ),
    ]
)


@pytest.mark.parametrize(
    ("patron", "copy", "branch", "row"),
    [
        ("adult", "adult", "central", "all"),
        ("junior", "adult", "central", "junior"),
        ("adult", "children", "central", "children's"),
        ("adult", "adult", "mobile", "mobile"),
        ("junior", "children", "central", "junior"),
        ("adult", "children", "mobile", "children's at mobile"),
        ("junior", "children", "mobile", "junior at mobile"),
        ("junior", "adult", "small", "each named"),
    ],
)
def test_the_most_specific_row_is_picked(patron: str, copy: str, branch: str, row: str) -> None:
    assert MATRIX.pick(patron, copy, branch).id == row


@pytest.mark.parametrize(
    ("category", "cents"), [("adult", 150), ("young-adult", 50), ("children", 50)]
)
def test_the_hong_kong_rate_depends_on_the_copy_not_the_patron(category: str, cents: int) -> None:
    for patron in ("adult", "junior"):
        assert HONG_KONG.pick(patron, category, "central").fine_per_day_cents == cents


@pytest.mark.parametrize(("owed", "blocked"), [(0, False), (1, True), (150, True)])
def test_any_unpaid_charge_blocks_in_hong_kong(owed: int, blocked: bool) -> None:
    assert Policy(id="default").blocks(owed) is blocked


@pytest.mark.parametrize(
    "rows",
    [
        [Policy(id="children's", copy_category="children")],
        [Policy(id="all"), Policy(id="all too")],
    ],
    ids=["none for everyone", "two for the same"],
)
def test_an_ambiguous_matrix_is_refused(rows: list[Policy]) -> None:
    with pytest.raises(ValueError, match="polic"):
        PolicyMatrix(rows)


def test_a_row_with_negative_values_is_refused() -> None:
    with pytest.raises(ValueError, match="fine_per_day_cents"):
        Policy(id="default", fine_per_day_cents=-1)


def test_a_policy_look_up_needs_at_most_eight_probes() -> None:
    """The queries are counted, not timed: the number of rows does not matter."""
    names = [None, *(f"c{n}" for n in range(10))]
    rows = [
        Policy(id=f"{p}/{c}/{b}", patron_category=p, copy_category=c, branch_kind=b)
        for p in names
        for c in names
        for b in names
    ]
    matrix = PolicyMatrix(rows)
    asked = 0

    class Counted(dict[Scope, Policy]):
        def get(self, key: Scope, default: Any = None) -> Any:
            nonlocal asked
            asked += 1
            return super().get(key, default)

    matrix._rows = Counted(matrix._rows)
    for patron, copy, branch, row in (
        ("c1", "c2", "c3", "c1/c2/c3"),
        ("c1", "?", "c3", "c1/None/c3"),
        ("?", "?", "?", "None/None/None"),
    ):
        asked = 0
        assert matrix.pick(patron, copy, branch).id == row
        assert 1 <= asked <= 8
    assert len(rows) == 1331
