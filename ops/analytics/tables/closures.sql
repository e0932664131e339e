-- One row for each closure of a branch, as last announced, with the due dates that it moved there.
-- Key: branch, closure_id
-- Reads: branch_closed, branch_closure_changed, branch_hours_changed, branch_registered, branch_reopened, loan_due_date_changed
-- Fresh: at any age
-- Picture: Closed libraries by reason (bars of libraries): reason, count(DISTINCT branch)
WITH branches AS (
    SELECT branch, kind, closures
    FROM (
        FROM branch_registered
        UNION ALL BY NAME FROM branch_closed
        UNION ALL BY NAME FROM branch_reopened
        UNION ALL BY NAME FROM branch_closure_changed
        UNION ALL BY NAME FROM branch_hours_changed
    )
    QUALIFY row_number() OVER (PARTITION BY branch ORDER BY version DESC) = 1
),
single AS (
    SELECT
        branch,
        branch_kind,
        closure,
        closure.closure_id AS closure_id,
        closure.announcements[-1] AS announced
    FROM (SELECT branch, kind AS branch_kind, unnest(closures) AS closure FROM branches)
),
moves AS (
    SELECT branch, cause AS closure_id, count(*) AS due_dates_moved
    FROM loan_due_date_changed
    GROUP BY ALL
)
SELECT
    branch,
    branch_kind,
    closure_id,
    closure."from" AS first_closed_day,
    announced.reopened_on AS reopened_on,
    announced.in_error AS in_error,
    closure.reason AS reason,
    len(closure.announcements) AS announcements,
    coalesce(due_dates_moved, 0) AS due_dates_moved
FROM single
LEFT JOIN moves USING (branch, closure_id)
