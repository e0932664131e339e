"""The components of the pages, drawn with their states for developers."""
