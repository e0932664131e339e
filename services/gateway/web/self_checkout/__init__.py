"""Pages of self-checkout: borrow with one's own phone, and allow it at a library."""
