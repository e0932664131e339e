"""Channels to patrons, guests and client apps: e-mail, devices and webhooks."""
