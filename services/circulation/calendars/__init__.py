"""Calendars of branches and suspensions of fines, as every subject reads them."""
