"""Pages of the accounts of staff, and of what they did."""
