"""The life of copies between the catalogue and the holds: added, received, taken out, recovered."""
