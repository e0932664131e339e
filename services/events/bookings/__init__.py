"""Bookings of single sessions in study rooms."""
