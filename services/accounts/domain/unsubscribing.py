"""Links in e-mails with which a patron turns off e-mail, without log-in."""

from shared import keys as keyed


def unsubscribe_token(patron_id: str, keys: str) -> str:
    """Return the token that stands for a patron in a link: the id, and its digest."""
    return f"{patron_id}.{keyed.digest(keys, _said(patron_id)).hex()}"


def patron_of_token(token: str, keys: str) -> str | None:
    """Return the id of the patron for whom we made a token, None if we did not make it."""
    patron_id, _, digest = token.rpartition(".")
    is_ours = token.isascii() and keyed.is_digest(keys, _said(patron_id), digest)
    return patron_id if is_ours else None


def _said(patron_id: str) -> str:
    return f"unsubscribe\n{patron_id}"
