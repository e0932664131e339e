"""Links in e-mails with which a patron turns off e-mail, without log-in."""

import hmac


def unsubscribe_token(patron_id: str, key: str) -> str:
    """Return the token that stands for a patron in a link: the id, and a digest under `key`."""
    # Begins with a purpose, so that it is never the digest of a card number.
    digest = hmac.new(key.encode(), f"unsubscribe\n{patron_id}".encode(), "sha256").hexdigest()
    return f"{patron_id}.{digest}"


def patron_of_token(token: str, key: str) -> str | None:
    """Return the id of the patron for whom we made a token, None if we did not make it."""
    if not (key and token.isascii()):
        return None
    patron_id = token.rpartition(".")[0]
    return patron_id if hmac.compare_digest(unsubscribe_token(patron_id, key), token) else None
