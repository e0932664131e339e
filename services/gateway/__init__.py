"""The gateway: the service that clients call.

Owns no data. It builds the account views from events, with the titles, branches, activities and
notices that My Account shows, and can rebuild them from the owners' data.
Publishes nothing.
Subscribes to `patron.*`, `preferences.changed`, `title.catalogued`, `loan.*`, `hold.*`, `fine.*`,
`fines.*`, `activity.*`, `recording.released`, `registration.*`, `admission.*`, `branch.*`,
`notice.*`, `notification.*`, `enquiry.*`, and `session.ended`: their tokens are refused.
"""
