"""A package, so that the system that its tests share ends with the last of them."""
