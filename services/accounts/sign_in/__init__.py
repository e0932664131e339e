"""Log-ins, sessions and second factors, and limits of wrong PINs."""
