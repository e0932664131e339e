-- One row for each day and branch with places in a study room that were held for patrons.
-- Places are bookings of single sessions, and seats of a season that were taken, passed on or lost.
-- Those of a day on which the library turned out to be closed are neither absences nor cancellations.
-- Key: held_on, branch
-- Reads: admission_checked_in, admission_lapsed, admission_promoted, booking_cancelled, booking_checked_in, booking_ended_by_closure, booking_lapsed, booking_made, booking_restored
-- Fresh: within 14 days
-- Picture: Places in study rooms by day (line of places): held_on AS day, sum(came) AS came, sum(no_shows) AS "did not come", sum(cancelled) AS cancelled, sum(closed) AS "ended by a closure"
SELECT
    library_day(starts_at) AS held_on,
    branch,
    count(*) FILTER (WHERE state = 'checked-in') AS came,
    count(*) FILTER (WHERE state = 'lapsed' AND NOT closed) AS no_shows,
    count(*) FILTER (WHERE state IN ('booked', 'held')) AS expected,
    count(*) FILTER (WHERE state = 'cancelled' AND NOT closed) AS cancelled,
    count(*) FILTER (WHERE closed) AS closed
FROM (
    FROM (
        SELECT *, FALSE AS closed FROM booking_made
        UNION ALL BY NAME SELECT *, FALSE AS closed FROM booking_cancelled
        UNION ALL BY NAME SELECT *, TRUE AS closed FROM booking_ended_by_closure
        UNION ALL BY NAME SELECT *, FALSE AS closed FROM booking_restored
        UNION ALL BY NAME SELECT *, FALSE AS closed FROM booking_checked_in
        UNION ALL BY NAME SELECT *, FALSE AS closed FROM booking_lapsed
    )
    SELECT starts_at, branch, state, closed
    QUALIFY row_number() OVER (PARTITION BY booking_id ORDER BY version DESC) = 1
    UNION ALL
    FROM (
        SELECT *, FALSE AS closed FROM admission_promoted
        UNION ALL BY NAME SELECT *, FALSE AS closed FROM admission_checked_in
        UNION ALL BY NAME FROM admission_lapsed
    )
    SELECT starts_at, branch, state, coalesce(closed, FALSE) AS closed
    QUALIFY row_number() OVER (PARTITION BY seat_id ORDER BY version DESC) = 1
)
GROUP BY ALL
