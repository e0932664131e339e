"""Store of the account views and of the data shown with them. Names all collections."""
