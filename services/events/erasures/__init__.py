"""Erasures of patrons: their registrations, applications and bookings end."""
