"""Conflicts: check-outs of offline stations that the rules would have refused."""
