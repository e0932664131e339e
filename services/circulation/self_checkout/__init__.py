"""Self-checkout by phone: which libraries allow it, and the codes of the day at their doors."""
