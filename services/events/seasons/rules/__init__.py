"""Rules of seasons."""
