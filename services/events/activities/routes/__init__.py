"""Routes of activities."""
