"""Search of the catalogue: words, filters, counts and order, from an index in this process."""
