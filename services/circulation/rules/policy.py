"""Lending policy: terms and costs of a loan, by patron, copy and branch."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import product

from services.circulation.refusals import NoSuchPolicy, PolicyNeeded, PolicyTaken
from services.circulation.rules.calendar import Cause

Scope = tuple[str | None, str | None, str | None]
"""Patron category, copy category and branch kind that a row is for; None is any."""

EVERYONE: Scope = (None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One row of the policy. The defaults are the Hong Kong Public Libraries'.

    A category or kind of None fits any. Money is in cents.
    """

    id: str
    version: int = 1
    patron_category: str | None = None
    copy_category: str | None = None
    branch_kind: str | None = None

    loan_days: int = 14
    renewals_allowed: int = 5
    renewal_days: int = 14
    """Counted from the day of renewal."""
    max_loans: int = 10
    max_holds: int = 10
    fine_per_day_cents: int = 150
    fine_cap_cents: int | None = 13_000
    """None: no cap. The library's own figure is not public; this one is a setting."""
    grace_days: int = 0
    """Number of chargeable days that cost nothing; with one more, all of them are charged."""
    count_closed_days: bool = False
    hold_fee_cents: int = 330
    hold_shelf_days: int = 7
    """Open days of the pick-up branch."""
    block_over_cents: int = 1
    """Unpaid cents from which borrowing, renewing and new holds are refused."""
    lost_after_days: int = 90
    lost_processing_percent: int = 20

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 0:
                raise ValueError(f"policy {self.id}: {field.name} must not be below 0")

    @property
    def scope(self) -> Scope:
        """Scope of the row."""
        return self.patron_category, self.copy_category, self.branch_kind

    @property
    def cause(self) -> Cause:
        """Cause by which a statement names this row."""
        terms = [f"${self.fine_per_day_cents / 100:,.2f} a day"]
        if self.fine_cap_cents is not None:
            terms.append(f"at most ${self.fine_cap_cents / 100:,.2f}")
        if self.grace_days:
            terms.append(f"{self.grace_days} days of grace")
        return Cause("policy", self.id, self.version, ", ".join(terms))

    def blocks(self, outstanding_cents: int) -> bool:
        """Return whether a patron who owes this much may not borrow or renew under this row."""
        return outstanding_cents >= self.block_over_cents


_MOST_SPECIFIC_FIRST = sorted(product((True, False), repeat=3), key=lambda names: -sum(names))
"""Combinations of patron, copy and branch that a row can name, the most specific first.
Sorting is stable: patron goes before copy."""


class PolicyMatrix:
    """All policy rows, looked up most specific first.

    If two rows name equally many, one that names the patron's category goes first, then one that
    names the copy's. Raises ValueError if two rows have the same scope, or no row is for everyone.
    """

    def __init__(self, rows: Iterable[Policy]) -> None:
        self._rows: dict[Scope, Policy] = {}
        for row in rows:
            if row.scope in self._rows:
                other = self._rows[row.scope]
                raise ValueError(f"policies {other.id} and {row.id} are for the same")
            self._rows[row.scope] = row
        if EVERYONE not in self._rows:
            raise ValueError("there is no policy for any patron, copy and branch")

    @property
    def rows(self) -> tuple[Policy, ...]:
        """All rows."""
        return tuple(self._rows.values())

    def pick(self, patron_category: str, copy_category: str, branch_kind: str) -> Policy:
        """Return the row for a loan. Makes at most eight look-ups, however many rows there are."""
        keys = (
            (
                patron_category if patron else None,
                copy_category if copy else None,
                branch_kind if branch else None,
            )
            for patron, copy, branch in _MOST_SPECIFIC_FIRST
        )
        return next(row for key in keys if (row := self._rows.get(key)) is not None)

    def named(self, policy_id: str) -> Policy | None:
        """Return the row with this id; None if there is none."""
        return next((row for row in self._rows.values() if row.id == policy_id), None)

    def check_set(self, row: Policy) -> None:
        """Raise PolicyTaken or PolicyNeeded if this row may not be set.

        PolicyTaken: another row has the same scope. PolicyNeeded: the row for everyone would get
        another scope.
        """
        other = self._rows.get(row.scope)
        if other is not None and other.id != row.id:
            raise PolicyTaken(other=other.id)
        if row.id == self._rows[EVERYONE].id and row.scope != EVERYONE:
            raise PolicyNeeded

    def check_delete(self, policy_id: str) -> Policy:
        """Return the row to delete. Raises NoSuchPolicy or PolicyNeeded."""
        if (row := self.named(policy_id)) is None:
            raise NoSuchPolicy
        if row.scope == EVERYONE:
            raise PolicyNeeded
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """One version of a policy row. Every version is kept for good."""

    id: str
    policy_id: str
    version: int
    row: Policy | None
    """The whole row from then on; None: it was deleted."""
    by: str
    """Id of the account, or name of the person who ran the command."""
    at: datetime
    reason: str


def policy_change(
    policy_id: str, version: int, row: Policy | None, *, by: str, at: datetime, reason: str
) -> PolicyChange:
    """Return a change of a row. Its id contains the version, so ids sort as the versions do."""
    return PolicyChange(
        id=f"{policy_id}.{version:06}",
        policy_id=policy_id,
        version=version,
        row=row,
        by=by,
        at=at,
        reason=reason,
    )


HONG_KONG = PolicyMatrix(
    (
        Policy(id="default"),
        Policy(id="young-adult", copy_category="young-adult", fine_per_day_cents=50),
        Policy(id="children", copy_category="children", fine_per_day_cents=50),
    )
)
