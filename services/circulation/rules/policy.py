"""Lending policy: terms and costs of a loan, by patron, copy and branch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import product
from operator import attrgetter

from services.circulation import refusals
from services.circulation.rules.calendar import Cause
from services.circulation.rules.terms import OptionalTerms, describe_free, describe_rates, dollars

Scope = tuple[str | None, str | None, str | None]
"""Patron category, copy category and branch kind that a row is for; None is any."""

EVERYONE: Scope = (None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(OptionalTerms):
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
    """Rate of each charge period, which is a day unless `charge_every` and `charge_unit` differ."""
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
        for name, value in zip(_NUMBERS, _numbers_of(self), strict=True):
            if value is not None and value < 0:
                raise ValueError(f"policy {self.id}: {name} must not be below 0")

    @property
    def scope(self) -> Scope:
        """Scope of the row."""
        return self.patron_category, self.copy_category, self.branch_kind

    @property
    def cause(self) -> Cause:
        """Cause by which a statement names this row."""
        terms = list(describe_rates(self, self.fine_per_day_cents))
        if self.fine_cap_cents is not None:
            terms.append(f"at most {dollars(self.fine_cap_cents)}")
        terms += describe_free(self, self.grace_days)
        return Cause("policy", self.id, self.version, ", ".join(terms))

    @property
    def limits_kinds_of_loans(self) -> bool:
        """True if it limits the loans of a category or of a branch."""
        return self.max_loans_of_category is not None or self.max_loans_at_branch is not None

    @property
    def limits_holds(self) -> bool:
        """True if a term decides a hold that not every row has."""
        limits = (self.max_holds_per_day, self.max_holds_of_title)
        return self.hold_only_if_out or self.pickup_at_owner or limits != (None, None)

    @property
    def flat_day_cents(self) -> int | None:
        """Cents for each day late if all cost the same; None: by other periods or in tiers."""
        by_day = (self.charge_every, self.charge_unit) == (1, "day") and not self.fine_tiers
        return self.fine_per_day_cents if by_day else None

    def at_price(self, price_cents: int | None) -> "Policy":
        """Return the row for a copy: with `fine_cap_at_price`, its price caps a fine.

        None: no price is recorded, so that the row stays as it is.
        """
        if not self.fine_cap_at_price or price_cents is None:
            return self
        return self._capped_at(price_cents)

    def with_unpaid(self, unpaid_cents: int) -> "Policy":
        """Return the row for a fine of a patron who owes this much in other fines.

        The sum of all of them keeps `patron_fine_cap_cents`.
        """
        limit = self.patron_fine_cap_cents
        return self if limit is None else self._capped_at(max(limit - unpaid_cents, 0))

    def _capped_at(self, cents: int) -> "Policy":
        own = self.fine_cap_cents
        return self if own is not None and own <= cents else replace(self, fine_cap_cents=cents)

    def blocks(self, outstanding_cents: int) -> bool:
        """Return whether a patron who owes this much may not borrow or renew under this row."""
        return outstanding_cents >= self.block_over_cents


_NUMBERS = tuple(field.name for field in fields(Policy) if field.type in (int, int | None))

_numbers_of = attrgetter(*_NUMBERS)

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
        return next(self.fitting(patron_category, copy_category, branch_kind))

    def fitting(
        self, patron_category: str, copy_category: str, branch_kind: str
    ) -> Iterator[Policy]:
        """Yield the rows that fit a loan, the most specific first: that one applies."""
        keys = (
            (
                patron_category if patron else None,
                copy_category if copy else None,
                branch_kind if branch else None,
            )
            for patron, copy, branch in _MOST_SPECIFIC_FIRST
        )
        for key in keys:
            if (row := self._rows.get(key)) is not None:
                yield row

    def with_row(self, policy_id: str, row: Policy | None) -> "PolicyMatrix":
        """Return the rows with one of them set, or deleted if `row` is None.

        Raises PolicyTaken, PolicyNeeded or NoSuchPolicy, as the change itself does.
        """
        if row is None:
            self.check_delete(policy_id)
        else:
            self.check_set(row)
        others = [other for other in self.rows if other.id != policy_id]
        return PolicyMatrix([*others, row] if row else others)

    def named(self, policy_id: str) -> Policy | None:
        """Return the row with this id; None if there is none."""
        return next((row for row in self._rows.values() if row.id == policy_id), None)

    def check_version(self, policy_id: str, based_on: int | None) -> None:
        """Raise PolicyChanged unless version `based_on` of a row is in force; 0: no row is.

        None: the version does not matter.
        """
        row = self.named(policy_id)
        version = row.version if row else 0
        if based_on is not None and version != based_on:
            raise refusals.PolicyChanged(version=version)

    def check_set(self, row: Policy) -> None:
        """Raise PolicyTaken or PolicyNeeded if this row may not be set.

        PolicyTaken: another row has the same scope. PolicyNeeded: the row for everyone would get
        another scope.
        """
        other = self._rows.get(row.scope)
        if other is not None and other.id != row.id:
            raise refusals.PolicyTaken(other=other.id)
        if row.id == self._rows[EVERYONE].id and row.scope != EVERYONE:
            raise refusals.PolicyNeeded

    def check_delete(self, policy_id: str) -> Policy:
        """Return the row to delete. Raises NoSuchPolicy or PolicyNeeded."""
        if (row := self.named(policy_id)) is None:
            raise refusals.NoSuchPolicy
        if row.scope == EVERYONE:
            raise refusals.PolicyNeeded
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
