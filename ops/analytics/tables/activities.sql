-- One row for each activity, as it is now, with its registrations.
WITH newest AS (
    FROM (
        FROM activity_published
        UNION ALL BY NAME FROM activity_rescheduled
        UNION ALL BY NAME FROM activity_cancelled
        UNION ALL BY NAME FROM recording_released
    )
    SELECT *
    QUALIFY row_number() OVER (PARTITION BY activity_id ORDER BY version DESC) = 1
),
registrations AS (
    FROM (
        FROM registration_confirmed
        UNION ALL BY NAME FROM registration_waitlisted
        UNION ALL BY NAME FROM registration_cancelled
    )
    SELECT activity_id, state
    QUALIFY row_number() OVER (PARTITION BY registration_id ORDER BY version DESC) = 1
),
counts AS (
    SELECT
        activity_id,
        count(*) FILTER (WHERE state = 'confirmed') AS confirmed,
        count(*) FILTER (WHERE state = 'waitlisted') AS waitlisted,
        count(*) FILTER (WHERE state = 'cancelled') AS withdrawn
    FROM registrations
    GROUP BY activity_id
)
SELECT
    activity_id,
    title,
    type,
    branch,
    library_day(starts_at) AS held_on,
    cancelled,
    coalesce(confirmed, 0) AS confirmed,
    coalesce(waitlisted, 0) AS waitlisted,
    coalesce(withdrawn, 0) AS withdrawn
FROM newest
LEFT JOIN counts USING (activity_id)
