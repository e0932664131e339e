-- One row for each activity, as it is now, with its registrations and their attendance.
-- If no attendance is recorded for an activity, nobody knows who came, so both numbers are null.
-- No-shows are counted once there are events of lending or activities of a later day.
-- Key: activity_id
-- Reads: activity_cancelled, activity_published, activity_rescheduled, loan_checked_out, loan_returned, recording_released, registration_attendance_withdrawn, registration_attended, registration_cancelled, registration_confirmed, registration_waitlisted
-- Fresh: at any age
-- Picture: Registrations by kind of activity (bars of registrations): type AS "kind of activity", sum(confirmed) AS "with a place", sum(waitlisted) AS "on the waiting list", sum(attended) AS came
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
        UNION ALL BY NAME FROM registration_attended
        UNION ALL BY NAME FROM registration_attendance_withdrawn
        UNION ALL BY NAME FROM registration_cancelled
    )
    SELECT activity_id, state, attended_at
    QUALIFY row_number() OVER (PARTITION BY registration_id ORDER BY version DESC) = 1
),
counts AS (
    SELECT
        activity_id,
        count(*) FILTER (WHERE state = 'confirmed') AS confirmed,
        count(*) FILTER (WHERE state = 'waitlisted') AS waitlisted,
        count(*) FILTER (WHERE state = 'cancelled') AS withdrawn,
        count(attended_at) AS recorded,
        count(*) FILTER (WHERE state = 'confirmed' AND attended_at IS NOT NULL) AS came,
        count(*) FILTER (WHERE state = 'confirmed' AND attended_at IS NULL) AS absent
    FROM registrations
    GROUP BY activity_id
),
newest_day AS (
    SELECT max(business_day) AS business_day
    FROM (
        SELECT business_day FROM activity_published
        UNION ALL SELECT business_day FROM registration_confirmed
        UNION ALL SELECT business_day FROM registration_attended
        UNION ALL SELECT business_day FROM loan_checked_out
        UNION ALL SELECT business_day FROM loan_returned
    )
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
    coalesce(withdrawn, 0) AS withdrawn,
    CASE WHEN recorded > 0 THEN came END AS attended,
    CASE
        WHEN
            recorded > 0
            AND NOT cancelled
            AND library_day(coalesce(ends_at, starts_at)) < newest_day.business_day
            THEN absent
    END AS no_shows
FROM newest
LEFT JOIN counts USING (activity_id)
CROSS JOIN newest_day
