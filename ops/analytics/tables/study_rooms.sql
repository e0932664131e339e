-- One row for each day and branch with places in a study room that were held for patrons.
-- Places are bookings of single sessions, and seats of a season that were taken, passed on or lost.
SELECT
    library_day(starts_at) AS held_on,
    branch,
    count(*) FILTER (WHERE state = 'checked-in') AS came,
    count(*) FILTER (WHERE state = 'lapsed') AS no_shows,
    count(*) FILTER (WHERE state IN ('booked', 'held')) AS expected,
    count(*) FILTER (WHERE state = 'cancelled') AS cancelled
FROM (
    FROM (
        FROM booking_made
        UNION ALL BY NAME FROM booking_cancelled
        UNION ALL BY NAME FROM booking_checked_in
        UNION ALL BY NAME FROM booking_lapsed
    )
    SELECT starts_at, branch, state
    QUALIFY row_number() OVER (PARTITION BY booking_id ORDER BY version DESC) = 1
    UNION ALL
    FROM (
        FROM admission_promoted
        UNION ALL BY NAME FROM admission_checked_in
        UNION ALL BY NAME FROM admission_lapsed
    )
    SELECT starts_at, branch, state
    QUALIFY row_number() OVER (PARTITION BY seat_id ORDER BY version DESC) = 1
)
GROUP BY ALL
