"""The route of OAI-PMH and its documents."""
