-- One row for each change of a loan, with the loan after it. Without the changes that staff undid.
-- Key: loan_id, version
-- Reads: loan_checked_out, loan_claimed, loan_due_date_changed, loan_due_soon, loan_lost, loan_overdue, loan_renewed, loan_returned, loan_undone
-- Fresh: within 4 days
SELECT * EXCLUDE (patron_id, acting_patron_id)
FROM (
    SELECT 'loan.checked-out' AS topic, * FROM loan_checked_out
    UNION ALL BY NAME
    SELECT 'loan.renewed' AS topic, * FROM loan_renewed
    UNION ALL BY NAME
    SELECT 'loan.due-date-changed' AS topic, * FROM loan_due_date_changed
    UNION ALL BY NAME
    SELECT 'loan.due-soon' AS topic, * FROM loan_due_soon
    UNION ALL BY NAME
    SELECT 'loan.overdue' AS topic, * FROM loan_overdue
    UNION ALL BY NAME
    SELECT 'loan.claimed' AS topic, * FROM loan_claimed
    UNION ALL BY NAME
    SELECT 'loan.lost' AS topic, * FROM loan_lost
    UNION ALL BY NAME
    SELECT 'loan.returned' AS topic, * FROM loan_returned
) AS changes
WHERE NOT EXISTS (
    SELECT loan_id
    FROM loan_undone
    WHERE loan_undone.loan_id = changes.loan_id AND loan_undone.version = changes.version + 1
)
