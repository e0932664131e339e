"""The rules of events: frozen values and pure functions. No I/O, no framework, no clock."""
