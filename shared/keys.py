"""Keys of one purpose, the newest first and separated by commas, as in `new,old`.

The first makes seals, codes and links; each is accepted. So a key is replaced without an end to
what was made with the former one.
"""

import hmac

LEAST = 16
"""Least number of characters of a key."""


def each_of(keys: str) -> list[str]:
    """Return the single keys."""
    return [one.strip() for one in keys.split(",") if one.strip()]


def digest(keys: str, said: str) -> bytes:
    """Return the digest of a text with the newest key.

    The text begins with its purpose: some keys were used for several before each had its own.
    Without keys everybody can make it, so that nothing secret is made then.
    """
    return _digest([*each_of(keys), ""][0], said)


def digests(keys: str, said: str) -> list[bytes]:
    """Return the digest of a text with each of the keys."""
    return [_digest(one, said) for one in each_of(keys)]


def is_digest(keys: str, said: str, given: str, *, length: int = 64) -> bool:
    """Return whether a digest, in hexadecimal, was made with one of the keys; False without keys.

    `length` is how much of it is used.
    """
    ours = [one.hex()[:length] for one in digests(keys, said)]
    return any(hmac.compare_digest(one.encode(), given.encode()) for one in ours)


def numbered(keys: str, purpose: str, id_: str, number: int) -> str:
    """Return a secret derived from an id and a number, so that nothing of it is stored."""
    place = f"{id_}.{number}"
    made = digest(keys, f"{purpose}\n{place}").hex()
    return f"{place}.{made}"


def number_of(keys: str, purpose: str, secret: str) -> tuple[str, int] | None:
    """Return the id and the number of a secret of ours; None if it is not ours."""
    place, _, given = secret.rpartition(".")
    id_, _, number = place.rpartition(".")
    if not (secret.isascii() and id_ and number.isdigit() and len(number) < 12):
        return None
    return (id_, int(number)) if is_digest(keys, f"{purpose}\n{place}", given) else None


def fingerprint(key: str) -> str:
    """Return a name of a key that tells nothing of it."""
    return _digest(key, "carrel fingerprint").hex()[:16]


def _digest(key: str, said: str) -> bytes:
    return hmac.digest(key.encode(), said.encode(), "sha256")
