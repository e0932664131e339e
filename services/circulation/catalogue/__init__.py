"""The catalogue: titles and their copies."""
