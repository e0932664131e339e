"""The page: what patrons and staff see in a browser.

It is a client of the gateway like any other: all that it shows and does goes through the `/v1/…`
routes that apps call, with the visitor's own token. It has no data and no data routes of its own.
"""
