"""The gateway: what clients touch.

Owns nothing of its own but what it builds from events, and can build again from its owners: the
account views, and titles, branches, activities and notices as far as My Account shows them.
Publishes nothing.
Hears `patron.*`, `preferences.changed`, `title.catalogued`, `loan.*`, `hold.*`, `fine.*`,
`fines.*`, `activity.*`, `recording.released`, `registration.*`, `branch.*`, `notice.published` and
`notification.*`.
"""
