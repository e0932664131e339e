"""Tills: the cash of a desk from its opening float to the count at closing."""
