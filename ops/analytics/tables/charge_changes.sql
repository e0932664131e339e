-- One row for each change of a charge's money, in cents: one of the amounts is not 0.
-- Key: none
-- Reads: fine_adjusted, fine_assessed, fine_paid, fine_waived
-- Fresh: within 14 days
SELECT
    charge_id, charge_kind, loan_id, business_day, '' AS cause,
    amount_cents AS assessed_cents, 0 AS forgiven_cents, 0 AS credited_cents,
    0 AS waived_cents, 0 AS paid_cents, 0 AS refunded_cents
FROM fine_assessed
UNION ALL
-- Lowered because of a closure or a suspension, or because the loan's lost copy was found; or a
-- payment that was a mistake is cancelled, which is paid with a minus.
SELECT
    charge_id, charge_kind, loan_id, business_day, cause,
    0, if(cause = loan_id, 0, lowered_cents), if(cause = loan_id, lowered_cents, 0),
    0, -cancelled_cents, refunded_cents
FROM fine_adjusted
UNION ALL
SELECT charge_id, charge_kind, loan_id, business_day, '', 0, 0, 0, waived_cents, 0, 0
FROM fine_waived
UNION ALL
SELECT charge_id, charge_kind, loan_id, business_day, '', 0, 0, 0, 0, paid_cents, 0
FROM fine_paid
