"""How long ended loans and holds took, counted by month."""
