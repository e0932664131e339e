"""Pages of the libraries, their hours and services."""
