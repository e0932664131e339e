"""Charges with their ledger, payments and refunds."""
