"""Rules of accounts: frozen values and pure functions, without I/O, framework or clock."""
