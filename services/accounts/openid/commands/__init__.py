"""Commands of OpenID Connect."""
