"""Connections to mail servers, push services and webhooks."""
