-- One row for each charge, as it is now, with all that became of its money, in cents.
-- Key: charge_id
-- Reads: charge_changes, fine_adjusted, fine_assessed, fine_paid, fine_waived
-- Fresh: within 14 days
-- Picture: Charges (bars of dollars): charge_kind AS "kind of charge", sum(assessed_cents) / 100 AS assessed, sum(paid_cents) / 100 AS paid, sum(outstanding_cents) / 100 AS "to be paid"
WITH sums AS (
    SELECT
        charge_id,
        sum(assessed_cents)::BIGINT AS assessed_cents,
        sum(forgiven_cents)::BIGINT AS forgiven_cents,
        sum(credited_cents)::BIGINT AS credited_cents,
        sum(waived_cents)::BIGINT AS waived_cents,
        sum(paid_cents)::BIGINT AS paid_cents,
        sum(refunded_cents)::BIGINT AS refunded_cents
    FROM charge_changes
    GROUP BY charge_id
),
snapshots AS (
    SELECT charge_id, version, charge_kind, loan_id, hold_id, assessed_on, currency,
        amount_cents, outstanding_cents, refund_due_cents, "open"
    FROM (
        FROM fine_assessed
        UNION ALL BY NAME FROM fine_adjusted
        UNION ALL BY NAME FROM fine_paid
        UNION ALL BY NAME FROM fine_waived
    )
)
SELECT
    charge_id,
    charge_kind,
    loan_id,
    hold_id,
    assessed_on,
    currency,
    amount_cents,
    outstanding_cents,
    refund_due_cents,
    assessed_cents,
    forgiven_cents,
    credited_cents,
    waived_cents,
    paid_cents,
    refunded_cents,
    "open"
FROM snapshots
JOIN sums USING (charge_id)
QUALIFY row_number() OVER (PARTITION BY charge_id ORDER BY version DESC) = 1
