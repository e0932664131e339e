"""Replace the key that signs tokens, and seal the secrets of second factors anew."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.accounts import store
from services.accounts.domain.signing_key import retire
from services.accounts.usecases.seal_key import resealed
from services.accounts.usecases.sign_token import make_key
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RotateKeys:
    """A replacement at `at` by the wall clock; no token lasts longer than `longest_token`."""

    at: datetime
    longest_token: timedelta
    secrets: str = field(default="", repr=False)
    """Secrets that seal the new key, the newest first, separated by commas; or empty."""


def rotate_keys(work: Work, command: RotateKeys) -> str:
    """Replace the signing key and return the id (`kid`) of the new one.

    The former key loses its private half at once, and stays published until the last token that it
    signed has expired. Then the newest of the secrets is the only one that is needed.
    """
    current = store.signing_key(work)
    new = make_key(int(current.id) + 1 if current else 1, command.secrets)
    retired = retire(current, command.at, command.longest_token) if current else None
    store.replace_key(work, retired, new)
    for holder in store.holders_of_factors(work):
        if holder.second_factor is not None:
            factor = resealed(holder.second_factor, command.secrets)
            saved = replace(holder, second_factor=factor, version=holder.version + 1)
            store.save_cardholders(work, saved)
    return new.kid
