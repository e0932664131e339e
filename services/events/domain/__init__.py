"""Rules of events: frozen values and pure functions, without I/O, framework or clock."""
