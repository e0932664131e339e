-- One row for each business day and kind of charge with any change of money, in cents.
-- Key: business_day, charge_kind
-- Reads: charge_changes
-- Fresh: within 14 days
-- Picture: Charges by day (line of dollars): business_day AS day, sum(assessed_cents) / 100 AS assessed, sum(paid_cents) / 100 AS paid, sum(waived_cents + forgiven_cents) / 100 AS "waived or forgiven"
SELECT
    business_day,
    charge_kind,
    sum(assessed_cents)::BIGINT AS assessed_cents,
    sum(forgiven_cents)::BIGINT AS forgiven_cents,
    sum(credited_cents)::BIGINT AS credited_cents,
    sum(waived_cents)::BIGINT AS waived_cents,
    sum(paid_cents)::BIGINT AS paid_cents,
    sum(refunded_cents)::BIGINT AS refunded_cents
FROM charge_changes
GROUP BY business_day, charge_kind
