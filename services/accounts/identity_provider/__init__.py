"""Log-ins of staff at the library's own identity provider, of which Carrel is a client."""
