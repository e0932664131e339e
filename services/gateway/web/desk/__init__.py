"""The staff desk: lending, returns, registration, closures, fine suspensions and notices.

Like the rest of the page it is a client of the `/v1/…` routes, with the librarian's own token.
"""
