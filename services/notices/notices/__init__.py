"""Notices of the libraries: published, amended, withdrawn, drafted, and as a feed."""
