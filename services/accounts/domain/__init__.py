"""The rules of accounts: frozen values and pure functions. No I/O, no framework, no clock."""
