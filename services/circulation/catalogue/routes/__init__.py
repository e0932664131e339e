"""Routes of titles and copies, and the bodies of their records."""
