-- One row for each business day, branch and copy category: check-outs and renewals of the lending
-- branch, returns of the branch that took the copy. Without the acts that staff undid.
-- Key: business_day, branch, category
-- Reads: loan_checked_out, loan_renewed, loan_returned, loan_undone
-- Fresh: within 4 days
-- Picture: Lending by day (line of loans): business_day AS day, sum(check_outs) AS "check-outs", sum(renewals) AS renewals, sum(returns) AS returns
SELECT
    business_day,
    branch,
    category,
    count(*) FILTER (WHERE done = 'check-out') AS check_outs,
    count(*) FILTER (WHERE done = 'renewal') AS renewals,
    count(*) FILTER (WHERE done = 'return') AS returns
FROM (
    SELECT loan_id, version, business_day, branch, category, 'check-out' AS done
    FROM loan_checked_out
    UNION ALL
    SELECT loan_id, version, business_day, branch, category, 'renewal' FROM loan_renewed
    UNION ALL
    SELECT loan_id, version, business_day, return_branch, category, 'return' FROM loan_returned
) AS acts
WHERE NOT EXISTS (
    SELECT loan_id
    FROM loan_undone
    WHERE loan_undone.loan_id = acts.loan_id AND loan_undone.version = acts.version + 1
)
GROUP BY business_day, branch, category
