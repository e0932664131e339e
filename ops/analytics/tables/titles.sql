-- One row for each title with its copies, as last catalogued: how often it was lent.
-- Key: title_id
-- Reads: holds, loans, title_catalogued
-- Fresh: within 31 days
-- Picture: Most lent titles (bars of check-outs): title, sum(check_outs)
WITH newest AS (
    SELECT
        title_id,
        title,
        work_id,
        kind,
        len(copies) AS copies,
        record.languages AS languages,
        record.publisher AS publisher,
        record.year AS year,
        record.audience AS audience,
        record.subjects AS subjects
    FROM title_catalogued
    QUALIFY row_number() OVER (PARTITION BY title_id ORDER BY version DESC) = 1
),
lent AS (
    SELECT
        title_id,
        count(*) AS check_outs,
        count(*) FILTER (WHERE state = 'open') AS open_loans,
        sum(renewals)::BIGINT AS renewals
    FROM loans
    GROUP BY title_id
),
held AS (
    SELECT title_id, count(*) AS holds, count(*) FILTER (WHERE "open") AS open_holds FROM holds GROUP BY title_id
)
SELECT
    title_id,
    title,
    work_id,
    kind,
    copies,
    coalesce(check_outs, 0) AS check_outs,
    coalesce(renewals, 0) AS renewals,
    coalesce(open_loans, 0) AS open_loans,
    coalesce(holds, 0) AS holds,
    coalesce(open_holds, 0) AS open_holds,
    coalesce(open_holds, 0) / nullif(copies, 0) AS open_holds_per_copy,
    coalesce(check_outs, 0) / nullif(copies, 0) AS turnover,
    languages,
    publisher,
    year,
    audience,
    subjects
FROM newest
LEFT JOIN lent USING (title_id)
LEFT JOIN held USING (title_id)
