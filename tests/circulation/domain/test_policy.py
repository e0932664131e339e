"""Which policy row a loan is made under."""

import pytest

from services.circulation.domain.policy import HONG_KONG, Policy, PolicyMatrix

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
def test_hong_kong_charges_by_the_copy_not_the_patron(category: str, cents: int) -> None:
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
def test_a_matrix_that_leaves_a_doubt_is_refused(rows: list[Policy]) -> None:
    with pytest.raises(ValueError, match="polic"):
        PolicyMatrix(rows)


def test_a_row_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="fine_per_day_cents"):
        Policy(id="default", fine_per_day_cents=-1)
