"""The staff desk: lending, taking back, registering, closures, suspensions of fines and notices.

Like all of the page it is a client of the `/v1/…` routes, with the librarian's own token.
"""
