"""Pages with which librarians catalogue: titles, their copies and labels, and MARC files."""
