-- One row for each business day and branch with open loans at its end: how many were overdue.
-- A loan is overdue from its `loan.overdue` event on, which the overdue job publishes by the rules
-- and the branch's calendar, until it gets another due date or ends. A return counts from the day of
-- the return on, which can be before the day of its event: copies of a book drop are scanned later.
WITH numbered AS (
    SELECT
        *,
        count(*) FILTER (WHERE topic IN ('loan.renewed', 'loan.due-date-changed'))
            OVER (PARTITION BY loan_id ORDER BY version) AS due_dates,
        max(returned_on) OVER (PARTITION BY loan_id) AS ended_on
    FROM loan_changes
),
spans AS (
    SELECT
        branch,
        state,
        ended_on,
        business_day AS since,
        lead(business_day) OVER (PARTITION BY loan_id ORDER BY version) AS until,
        bool_or(topic = 'loan.overdue') OVER (PARTITION BY loan_id, due_dates ORDER BY version)
            AS overdue
    FROM numbered
),
days AS (
    SELECT day::DATE AS day
    FROM (
        SELECT unnest(generate_series(min(business_day), max(business_day), INTERVAL 1 DAY)) AS day
        FROM loan_changes
    )
)
SELECT
    day AS business_day,
    branch,
    count(*) AS open_loans,
    count(*) FILTER (WHERE overdue) AS overdue_loans,
    count(*) FILTER (WHERE overdue) / count(*) AS overdue_share
FROM days
JOIN spans ON since <= day AND (until IS NULL OR day < until)
WHERE state = 'open' AND (ended_on IS NULL OR day < ended_on)
GROUP BY day, branch
