"""The rules of circulation: frozen values and pure functions. No I/O, no framework, no clock."""
