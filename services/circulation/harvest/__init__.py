"""Harvesting of the catalogue by OAI-PMH 2.0, for discovery layers and union catalogues."""
