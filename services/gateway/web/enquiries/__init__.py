"""Pages of Ask a Librarian, and of questions and answers."""
