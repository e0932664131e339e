"""OpenID Connect: services of others where patrons log in with their library account."""
