-- One row for each day and branch at whose doors people were counted: how full it became.
-- Between two events there is a minute, unless the level changes, so a short peak can be missed.
-- Key: day, branch
-- Reads: branch_occupancy
-- Fresh: within 4 days
-- Picture: The fullest library of each day (line of percent of its capacity): day, 100 * max(fullest_share)
SELECT
    day,
    branch,
    max(capacity) AS capacity,
    max(inside) AS most_inside,
    max(inside / nullif(capacity, 0)) AS fullest_share,
    max(waiting) AS longest_queue,
    max(entered) AS entered
FROM branch_occupancy
GROUP BY day, branch
