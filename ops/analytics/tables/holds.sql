-- One row for each hold, as it is now, with the days until its copy was first ready.
-- Key: hold_id
-- Reads: hold_cancelled, hold_changed, hold_collected, hold_expired, hold_placed, hold_ready
-- Fresh: within 4 days
-- Picture: Days until a reserved item was ready (columns of reservations): days_waited AS days, count(*)
SELECT
    hold_id,
    title_id,
    volume,
    barcode,
    work_id,
    any_edition,
    pickup_branch,
    CASE WHEN to_fetch THEN 'to-fetch' ELSE state END AS state,
    "open",
    place,
    library_day(placed_at) AS placed_on,
    first_ready_on,
    first_ready_on - library_day(placed_at) AS days_waited,
    shelf_until
FROM (
    FROM hold_placed
    UNION ALL BY NAME FROM hold_changed
    UNION ALL BY NAME FROM hold_ready
    UNION ALL BY NAME FROM hold_collected
    UNION ALL BY NAME FROM hold_cancelled
    UNION ALL BY NAME FROM hold_expired
)
LEFT JOIN (SELECT hold_id, min(ready_on) AS first_ready_on FROM hold_ready GROUP BY hold_id)
    USING (hold_id)
QUALIFY row_number() OVER (PARTITION BY hold_id ORDER BY version DESC) = 1
