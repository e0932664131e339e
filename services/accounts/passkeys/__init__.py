"""Passkeys: log in without a PIN, with a credential of WebAuthn."""
