"""The page: what a patron and the desk see in a browser.

It is a client of the gateway like any other: all it shows and does goes through the `/v1/…` routes
that apps call, with the visitor's own token. It has no data of its own, and none but those routes.
"""
