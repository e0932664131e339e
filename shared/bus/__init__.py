"""Consume events from Kafka: subscriptions, the listener that serves them, and dead letters."""
