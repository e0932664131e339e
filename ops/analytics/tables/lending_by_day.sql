-- One row for each business day, branch and copy category: check-outs and renewals of the lending
-- branch, returns of the branch that took the copy.
SELECT
    business_day,
    branch,
    category,
    count(*) FILTER (WHERE done = 'check-out') AS check_outs,
    count(*) FILTER (WHERE done = 'renewal') AS renewals,
    count(*) FILTER (WHERE done = 'return') AS returns
FROM (
    SELECT business_day, branch, category, 'check-out' AS done FROM loan_checked_out
    UNION ALL
    SELECT business_day, branch, category, 'renewal' FROM loan_renewed
    UNION ALL
    SELECT business_day, return_branch, category, 'return' FROM loan_returned
)
GROUP BY business_day, branch, category
