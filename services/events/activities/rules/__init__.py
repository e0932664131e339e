"""Rules of activities."""
