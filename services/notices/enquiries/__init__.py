"""Ask a Librarian: enquiries of patrons and guests, their files, and the question bank."""
