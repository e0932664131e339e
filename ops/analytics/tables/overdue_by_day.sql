-- One row for each business day and branch with open loans at its end: how many were overdue.
-- A loan is overdue after the first open day of its branch from its due date on, by the closures as
-- last announced; one that its patron claims to have returned, as of the day of the claim. A return
-- counts from the day of the return on, which can be before the day of its event: copies of a book
-- drop are scanned later.
-- Key: business_day, branch
-- Reads: closures, loan_changes
-- Fresh: within 4 days
-- Picture: Overdue loans by day (line of percent of open loans): business_day AS day, 100 * sum(overdue_loans) / sum(open_loans)
WITH spans AS (
    SELECT
        branch,
        state,
        due_on,
        claimed_returned_on,
        max(returned_on) OVER (PARTITION BY loan_id) AS ended_on,
        business_day AS since,
        lead(business_day) OVER (PARTITION BY loan_id ORDER BY version) AS until
    FROM loan_changes
),
days AS (
    SELECT day::DATE AS day
    FROM (
        SELECT unnest(generate_series(min(business_day), max(business_day), INTERVAL 1 DAY)) AS day
        FROM loan_changes
    )
),
open_days AS (
    SELECT lending.branch AS branch, day
    FROM days
    CROSS JOIN (SELECT DISTINCT branch FROM spans) AS lending
    LEFT JOIN closures
        ON closures.branch = lending.branch
        AND NOT in_error
        AND first_closed_day <= day
        AND (reopened_on IS NULL OR day < reopened_on)
    WHERE closure_id IS NULL
),
due_days AS (
    SELECT due.branch AS branch, due_on, min(day) AS last_day
    FROM (SELECT DISTINCT branch, due_on FROM spans) AS due
    JOIN open_days ON open_days.branch = due.branch AND due_on <= day
    GROUP BY due.branch, due_on
)
SELECT
    day AS business_day,
    branch,
    count(*) AS open_loans,
    count(*) FILTER (WHERE overdue) AS overdue_loans,
    count(*) FILTER (WHERE overdue) / count(*) AS overdue_share
FROM (
    SELECT
        day,
        spans.branch AS branch,
        -- Null where no open day has come yet; least() ignores a claim that is null.
        least(day, claimed_returned_on) > last_day AS overdue
    FROM days
    JOIN spans ON since <= day AND (until IS NULL OR day < until)
    LEFT JOIN due_days ON due_days.branch = spans.branch AND due_days.due_on = spans.due_on
    WHERE state = 'open' AND (ended_on IS NULL OR day < ended_on)
)
GROUP BY day, branch
