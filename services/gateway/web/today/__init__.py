"""Today at the desk: the lists of the day with their lengths, closures, and what is due."""
