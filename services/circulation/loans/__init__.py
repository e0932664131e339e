"""Loans: check-outs, returns, renewals, losses and notices."""
