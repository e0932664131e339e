"""Visitors of branches: occupancy, queues, visits, and contact tracing."""
