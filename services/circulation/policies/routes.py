"""Routes of policy rows: the rows in force, changes, and the history of versions."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, model_validator

from services.circulation.fields import BranchKind, Category, Line
from services.circulation.policies import store
from services.circulation.policies.commands import (
    DeletePolicy,
    SetPolicy,
    delete_policy,
    set_policy,
)
from services.circulation.refusals import NoSuchPolicy, PolicyChanged, PolicyNeeded, PolicyTaken
from services.circulation.rules.policy import Policy, PolicyMatrix
from services.circulation.rules.terms import ChargeUnit, FineTier
from shared.auth import Staff
from shared.http.bodies import Body, Day, from_attributes
from shared.http.dependencies import Db, Run
from shared.http.paging import PageQuery, page_of
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

PolicyId = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
BasedOn = Annotated[
    int | None,
    Field(
        ge=0,
        le=1_000_000,
        description="Version that the change is based on: it is refused if another one is in "
        "force. 0: there is no such row yet; null: not checked.",
    ),
]
DEFAULTS = Policy(id="default")


class TierIn(Body):
    """Another rate, from a charge period on."""

    from_period: int = Field(ge=2, le=10_000, description="Its first charge period, from 2.")
    cents: int = Field(ge=0, le=1_000_000)

    @property
    def tier(self) -> FineTier:
        """The tier as the rules have it."""
        return FineTier(self.from_period, self.cents)


class Terms(Body):
    """The terms of a policy row. The defaults are those of the Hong Kong Public Libraries."""

    patron_category: Category | None = Field(
        default=None, description="Category of patrons that the row applies to; null: any."
    )
    copy_category: Category | None = Field(
        default=None, description="Category of copies that the row applies to; null: any."
    )
    branch_kind: BranchKind | None = Field(
        default=None, description="Kind of branches that the row applies to; null: any."
    )
    loan_days: int = Field(default=DEFAULTS.loan_days, ge=1, le=3650)
    renewals_allowed: int = Field(default=DEFAULTS.renewals_allowed, ge=0, le=1000)
    renewal_days: int = Field(default=DEFAULTS.renewal_days, ge=1, le=3650)
    max_loans: int = Field(default=DEFAULTS.max_loans, ge=0, le=1000)
    max_holds: int = Field(default=DEFAULTS.max_holds, ge=0, le=1000)
    fine_per_day_cents: int = Field(
        default=DEFAULTS.fine_per_day_cents,
        ge=0,
        le=1_000_000,
        description="Fine for each charge period, which is a day by default, in cents.",
    )
    fine_cap_cents: int | None = Field(
        default=DEFAULTS.fine_cap_cents,
        ge=0,
        le=10_000_000,
        description="Maximum of one fine, in cents; null: no maximum.",
    )
    grace_days: int = Field(
        default=DEFAULTS.grace_days,
        ge=0,
        le=3650,
        description="Chargeable days that cost nothing; see `grace_forgiven`.",
    )
    count_closed_days: bool = DEFAULTS.count_closed_days
    hold_fee_cents: int = Field(default=DEFAULTS.hold_fee_cents, ge=0, le=1_000_000)
    hold_shelf_days: int = Field(default=DEFAULTS.hold_shelf_days, ge=1, le=365)
    block_over_cents: int = Field(default=DEFAULTS.block_over_cents, ge=1, le=10_000_000)
    lost_after_days: int = Field(default=DEFAULTS.lost_after_days, ge=1, le=3650)
    lost_processing_percent: int = Field(default=DEFAULTS.lost_processing_percent, ge=0, le=1000)
    charge_every: int = Field(
        default=1, ge=1, le=1000, description="Length of a charge period, in units of charge."
    )
    charge_unit: ChargeUnit = "day"
    charge_completed: bool = Field(
        default=False, description="True: a period costs once it is over; false: once it begins."
    )
    fine_tiers: tuple[TierIn, ...] = Field(
        default=(), max_length=20, description="Rates of later charge periods, in order."
    )
    fine_minimum_cents: int = Field(
        default=0, ge=0, le=1_000_000, description="A fine below this sum is not charged."
    )
    fine_cap_at_price: bool = Field(
        default=False, description="True: a fine is at most the price of the item, if recorded."
    )
    patron_fine_cap_cents: int | None = Field(
        default=None,
        ge=0,
        le=10_000_000,
        description="Sum of a patron's unpaid fines that a new fine may not exceed; null: none.",
    )
    grace_forgiven: bool = Field(
        default=False,
        description="True: days of grace never cost; false: one day more charges all of them.",
    )
    loan_hours: int | None = Field(
        default=None,
        ge=1,
        le=720,
        description="Hours of a loan, which is then due at a time of day; null: `loan_days`.",
    )
    renewal_hours: int | None = Field(
        default=None,
        ge=1,
        le=720,
        description="Hours of a renewal of a loan by hours; null: `loan_hours`.",
    )
    counts_open_days: bool = Field(
        default=False,
        description="True: `loan_days` and `renewal_days` count open days of the library.",
    )
    fixed_due_dates: tuple[Day, ...] = Field(
        default=(),
        max_length=100,
        description="Due dates in order, such as ends of terms: a loan is due on the next one.",
    )
    latest_due_dates: tuple[Day, ...] = Field(
        default=(),
        max_length=100,
        description="Dates in order: no loan is due after the next one.",
    )
    renewal_from_due_date: bool = Field(
        default=False,
        description="True: a renewal counts from the due date; false: from the day of renewal.",
    )
    lendable: bool = Field(
        default=True, description="False: for use in the library only; it cannot be reserved."
    )
    max_loans_of_category: int | None = Field(
        default=None,
        ge=0,
        le=1000,
        description="Most open loans of a patron of the category of the item; null: no limit.",
    )
    max_loans_at_branch: int | None = Field(
        default=None,
        ge=0,
        le=1000,
        description="Most open loans of a patron from the lending library; null: no limit.",
    )
    max_holds_per_day: int | None = Field(
        default=None, ge=0, le=1000, description="Most new holds in 24 hours; null: no limit."
    )
    max_holds_of_title: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Most open holds of a patron on one title or its volumes; null: no limit.",
    )
    hold_waits_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="Days after which a hold that still waits ends; null: none.",
    )
    hold_only_if_out: bool = Field(
        default=False, description="True: no hold while a copy is available."
    )
    pickup_at_owner: bool = Field(
        default=False, description="True: holds are collected at a library that owns a copy."
    )
    renews_automatically: bool = Field(
        default=False,
        description="True: a loan by days is renewed on its due date while nobody waits for it.",
    )
    grace_minutes: int = Field(
        default=0, ge=0, le=1440, description="Added to the days of grace of a loan by hours."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        begins = [tier.from_period for tier in self.fine_tiers]
        if begins != sorted(set(begins)):
            raise ValueError("fine_tiers should be in the order of their periods, each once")
        for name in ("fixed_due_dates", "latest_due_dates"):
            dates = getattr(self, name)
            if list(dates) != sorted(set(dates)):
                raise ValueError(f"{name} should be in order, each once")
        return self

    def row(self, policy_id: str) -> Policy:
        """Build the policy row with these terms."""
        terms = {name: getattr(self, name) for name in Terms.model_fields}
        terms["fine_tiers"] = tuple(tier.tier for tier in self.fine_tiers)
        return Policy(id=policy_id, **terms)


class PolicyIn(Terms):
    """A complete policy row and the reason for it."""

    reason: Line
    based_on: BasedOn = None


class PolicyList(BaseModel):
    """The policy rows in force."""

    items: list[Policy]


class PolicyChangeOut(BaseModel):
    """A version of a row, with its time, author and reason. Without a row it is a deletion."""

    id: str
    policy_id: str
    version: int
    row: Policy | None
    by: str
    at: datetime
    reason: str


class PolicyChangePage(BaseModel):
    """A page of versions of a row; send `next` as `after` for the next page."""

    items: list[PolicyChangeOut]
    next: str | None


@router.get("/policies")
async def get_policies(
    _caller: Staff,
    db: Db,
    patron_category: Annotated[Category | None, Query()] = None,
    copy_category: Annotated[Category | None, Query()] = None,
    branch_kind: Annotated[BranchKind | None, Query()] = None,
) -> PolicyList:
    """List the policy rows in force.

    With both categories and a kind of branches: those that fit such a loan. The first one applies.
    """
    rows = await store.find(db)
    if patron_category and copy_category and branch_kind:
        fitting = PolicyMatrix(rows).fitting(patron_category, copy_category, branch_kind)
        return PolicyList(items=list(fitting))
    return PolicyList(items=rows)


@router.put("/policies/{policy_id}")
@refuses(PolicyTaken, PolicyNeeded, PolicyChanged)
async def put_policy(policy_id: PolicyId, body: PolicyIn, caller: Staff, run: Run) -> Policy:
    """Put a row in force, for loans from now on."""
    return await run(
        set_policy, SetPolicy(body.row(policy_id), caller.id, body.reason, body.based_on)
    )


@router.delete("/policies/{policy_id}")
@refuses(NoSuchPolicy, PolicyNeeded, PolicyChanged)
async def remove_policy(
    policy_id: PolicyId,
    caller: Staff,
    run: Run,
    reason: Annotated[Line, Query()],
    based_on: Annotated[BasedOn, Query()] = None,
) -> PolicyChangeOut:
    """Take a row out of force."""
    command = DeletePolicy(policy_id, caller.id, reason, based_on)
    return from_attributes(PolicyChangeOut, await run(delete_policy, command))


@router.get("/policies/{policy_id}/history")
@refuses(NoSuchPolicy)
async def get_history(
    policy_id: PolicyId, _caller: Staff, db: Db, page: PageQuery
) -> PolicyChangePage:
    """List every version of a row, oldest first."""
    found = await store.find_changes(db, policy_id, page.limit, page.after)
    if not found and page.after is None:
        raise NoSuchPolicy
    items = [from_attributes(PolicyChangeOut, change) for change in found]
    return PolicyChangePage(**page_of(items, page, lambda item: str(item.id)))
