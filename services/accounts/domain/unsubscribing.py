"""Links in e-mails with which a patron turns off e-mail, without log-in."""

from shared import keys as keyed


def unsubscribe_token(patron_id: str, keys: str) -> str:
    """Return the token that stands for a patron in a link: the id, and its digest."""
    return signed_id("unsubscribe", patron_id, keys)


def patron_of_token(token: str, keys: str) -> str | None:
    """Return the id of the patron for whom we made a token, None if we did not make it."""
    return id_of("unsubscribe", token, keys)


def signed_id(purpose: str, id_: str, keys: str) -> str:
    """Return the secret of a link: an id and its digest, which is for one purpose."""
    digest = keyed.digest(keys, f"{purpose}\n{id_}").hex()
    return f"{id_}.{digest}"


def id_of(purpose: str, secret: str, keys: str) -> str | None:
    """Return the id in the secret of a link, None if we did not make the secret."""
    id_, _, digest = secret.rpartition(".")
    is_ours = secret.isascii() and keyed.is_digest(keys, f"{purpose}\n{id_}", digest)
    return id_ if is_ours else None
