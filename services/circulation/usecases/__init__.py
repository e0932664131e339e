"""Use cases of circulation: commands, the steps that they share, workflows, and their events."""
