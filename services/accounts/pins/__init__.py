"""PINs: which are allowed, and new ones by codes in e-mails."""
