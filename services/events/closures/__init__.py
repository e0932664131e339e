"""Effects of changed calendars on bookings and places in study rooms."""
