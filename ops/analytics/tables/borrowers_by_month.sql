-- One row for each month, category of patrons and home library with check-outs: how many patrons
-- borrowed. Category and home are those of today. Without the check-outs that staff undid.
-- Key: year, month, category, home_branch
-- Reads: loan_checked_out, loan_undone, patron_blocked, patron_came_of_age, patron_card_expiring, patron_card_renewed, patron_erased, patron_registered, patron_unblocked, patron_updated
-- Fresh: within 4 days
-- Picture: Patrons who borrowed (line of patrons): make_date(year, month, 1) AS month, sum(borrowers)
WITH patrons AS (
    SELECT patron_id, category, home_branch
    FROM (
        FROM patron_registered
        UNION ALL BY NAME FROM patron_updated
        UNION ALL BY NAME FROM patron_blocked
        UNION ALL BY NAME FROM patron_unblocked
        UNION ALL BY NAME FROM patron_erased
        UNION ALL BY NAME FROM patron_came_of_age
        UNION ALL BY NAME FROM patron_card_renewed
        UNION ALL BY NAME FROM patron_card_expiring
    )
    QUALIFY row_number() OVER (PARTITION BY patron_id ORDER BY version DESC) = 1
)
SELECT
    year(acts.business_day) AS year,
    month(acts.business_day) AS month,
    patrons.category AS category,
    patrons.home_branch AS home_branch,
    count(DISTINCT acts.patron_id) AS borrowers,
    count(*) AS check_outs
FROM loan_checked_out AS acts
JOIN patrons ON patrons.patron_id = acts.patron_id
WHERE NOT EXISTS (
    SELECT loan_id
    FROM loan_undone
    WHERE loan_undone.loan_id = acts.loan_id AND loan_undone.version = acts.version + 1
)
GROUP BY year(acts.business_day), month(acts.business_day), patrons.category, patrons.home_branch
