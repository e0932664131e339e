-- One row for each notification: when it was put into the inbox, and when it was first read there.
-- Key: notification_id
-- Reads: notification_delivered, notification_read
-- Fresh: within 4 days
-- Picture: Notifications (bars of notifications): kind, count(*) AS delivered, count(read_at) AS read
SELECT
    notification_id,
    kind,
    min(CASE WHEN NOT "read" THEN event_time END) AS delivered_at,
    min(CASE WHEN "read" THEN event_time END) AS read_at,
    min(business_day) AS delivered_on,
    min(CASE WHEN "read" THEN business_day END) - min(business_day) AS days_until_read
FROM (
    FROM notification_delivered
    UNION ALL BY NAME FROM notification_read
)
GROUP BY notification_id, kind
