"""Steps that several commands have in common, inside their transactions."""
