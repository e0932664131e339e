"""The rules of notices: values and pure functions."""
