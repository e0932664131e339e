-- One row for each business day and kind of charge with any change of money, in cents.
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
