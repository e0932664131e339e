-- One row for each loan, as it is now.
-- Key: loan_id
-- Reads: loan_changes
-- Fresh: within 4 days
-- Picture: Days on loan (columns of loans): days_out AS days, count(*)
SELECT
    loan_id,
    title_id,
    copy_id,
    category,
    branch,
    branch_kind,
    borrowed_on,
    due_on,
    renewals,
    state,
    returned_on,
    return_branch,
    channel,
    returned_on - borrowed_on AS days_out,
    -- greatest() ignores null: a loan that is not returned has no days late.
    CASE WHEN returned_on IS NOT NULL THEN greatest(returned_on - due_on, 0) END AS days_late,
    count(*) FILTER (WHERE topic = 'loan.due-date-changed') OVER (PARTITION BY loan_id)
        AS due_date_moves
FROM loan_changes
QUALIFY row_number() OVER (PARTITION BY loan_id ORDER BY version DESC) = 1
