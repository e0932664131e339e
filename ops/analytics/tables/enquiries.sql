-- One row for each enquiry, as it is now, with the days until its first answer.
-- first_answered_at - opened_at is the exact time.
-- Key: enquiry_id
-- Reads: enquiry_answered, enquiry_assigned, enquiry_closed, enquiry_opened
-- Fresh: within 14 days
-- Picture: Days until the first answer (columns of enquiries): days_to_answer AS days, count(*)
SELECT
    enquiry_id,
    branch,
    language,
    state,
    "open",
    title_id,
    messages,
    merged_into,
    opened_at,
    first_answered_at,
    library_day(opened_at) AS opened_on,
    library_day(first_answered_at) - library_day(opened_at) AS days_to_answer
FROM (
    FROM enquiry_opened
    UNION ALL BY NAME FROM enquiry_assigned
    UNION ALL BY NAME FROM enquiry_answered
    UNION ALL BY NAME FROM enquiry_closed
)
QUALIFY row_number() OVER (PARTITION BY enquiry_id ORDER BY version DESC) = 1
