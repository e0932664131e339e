"""My Setting: preferences, e-mail addresses, and the link to the calendar feed."""
