"""Routes of OpenID Connect: those of the protocol, and those of the pages."""
