"""Effects of changed calendars: sweeps of due dates and holds, reworks of fines, previews."""
