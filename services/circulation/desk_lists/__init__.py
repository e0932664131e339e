"""The lists that the staff of a branch work off each day: copies, loans, holds and conflicts."""
