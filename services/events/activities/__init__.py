"""Activities of the programme, with their recordings, places, registrations and attendance."""
