"""Policy rows: the terms under which patrons borrow."""
