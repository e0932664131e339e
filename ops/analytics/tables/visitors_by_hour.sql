-- One row for each hour of a day and branch in which people were counted at its doors.
-- hour is that of the library's clock, from 0.
-- Key: day, branch, hour
-- Reads: branch_occupancy
-- Fresh: within 4 days
-- Picture: Visitors by hour (columns of visitors): hour, sum(entered)
SELECT
    day,
    branch,
    hour,
    entered_until - coalesce(lag(entered_until) OVER (PARTITION BY branch, day ORDER BY hour), 0)
        AS entered,
    most_inside
FROM (
    SELECT
        day,
        branch,
        library_hour("at") AS hour,
        max(entered) AS entered_until,
        max(inside) AS most_inside
    FROM branch_occupancy
    GROUP BY day, branch, library_hour("at")
)
