"""The services of the system, each a package of its own, and the declaration of all."""
