"""Events of circulation, composed from its values: one module for each subject."""
