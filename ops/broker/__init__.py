"""The broker's content as operators see it: topics, positions of services, and dead letters."""
