-- One row for each copy, with its call number and shelf, as its title was last catalogued, and when it was last lent.
-- Key: copy_id
-- Reads: loan_checked_out, loan_undone, title_catalogued
-- Fresh: within 31 days
-- Picture: Copies (bars of copies): category, count(*) FILTER (WHERE check_outs > 0) AS "lent at least once", count(*) FILTER (WHERE check_outs = 0) AS "never lent"
WITH newest AS (
    SELECT title_id, kind, copies
    FROM title_catalogued
    QUALIFY row_number() OVER (PARTITION BY title_id ORDER BY version DESC) = 1
),
each_copy AS (
    SELECT title_id, kind, unnest(copies) AS copy
    FROM newest
),
lent AS (
    SELECT copy_id, max(borrowed_on) AS last_lent_on, count(*) AS check_outs
    FROM loan_checked_out AS acts
    WHERE NOT EXISTS (
        SELECT loan_id
        FROM loan_undone
        WHERE loan_undone.loan_id = acts.loan_id AND loan_undone.version = acts.version + 1
    )
    GROUP BY copy_id
)
SELECT
    copy.copy_id AS copy_id,
    copy.barcode AS barcode,
    title_id,
    kind,
    copy.category AS category,
    copy.branch AS branch,
    copy.volume AS volume,
    copy.record.call_number AS call_number,
    copy.record.scheme AS scheme,
    copy.record.shelf_location AS shelf_location,
    copy.record.collection AS collection,
    copy.record.supplier AS supplier,
    copy.record.condition AS condition,
    copy.record.acquired_on AS acquired_on,
    last_lent_on,
    coalesce(check_outs, 0) AS check_outs
FROM each_copy
LEFT JOIN lent ON lent.copy_id = copy.copy_id
