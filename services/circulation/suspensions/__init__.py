"""Suspensions of fines. Their collection is in `calendars`, because loans and charges read it."""
