"""Patrons as notices knows them: language, preferences and inbox; titles and activities."""
