"""Use cases of events, one module for each command."""
