-- One row for each fine suspension, as last announced, with what became of fines in its days.
-- Free days are those of fines as they were assessed: a loan whose overdue days were all free has no
-- fine, and a fine that was lowered later counts in forgiven_cents only.
-- Key: suspension_id
-- Reads: charge_changes, fine_assessed, fines_resumed, fines_suspended
-- Fresh: at any age
-- Picture: Overdue days without a fine by suspension (bars of days): reason, sum(free_days)
WITH newest AS (
    SELECT suspension_id, starts_on, resumes_on, withdrawn_on, reason
    FROM (
        FROM fines_suspended
        UNION ALL BY NAME FROM fines_resumed
    )
    QUALIFY row_number() OVER (PARTITION BY suspension_id ORDER BY version DESC) = 1
),
single AS (
    SELECT charge_id, span.disposition AS disposition, span.days AS days, span.cause.id AS cause
    FROM (SELECT charge_id, unnest(spans) AS span FROM fine_assessed)
),
suspended AS (
    SELECT cause AS suspension_id, count(DISTINCT charge_id) AS fines, sum(days)::BIGINT AS days
    FROM single
    WHERE disposition = 'suspended'
    GROUP BY cause
),
lowered AS (
    SELECT cause, sum(forgiven_cents)::BIGINT AS forgiven_cents
    FROM charge_changes
    GROUP BY cause
)
SELECT
    newest.suspension_id AS suspension_id,
    starts_on,
    resumes_on,
    withdrawn_on,
    reason,
    coalesce(fines, 0) AS fines_with_free_days,
    coalesce(days, 0) AS free_days,
    coalesce(forgiven_cents, 0) AS forgiven_cents
FROM newest
LEFT JOIN suspended ON suspended.suspension_id = newest.suspension_id
LEFT JOIN lowered ON lowered.cause = 'suspension/' || newest.suspension_id
