"""Pages of an account: My Account, My Info, My Setting; at the desk, accounts of patrons."""
