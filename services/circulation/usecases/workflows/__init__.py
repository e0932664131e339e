"""Workflows: work that takes many transactions and can be interrupted after each."""
