"""Revoke all keys that sign or verify tokens, because one may have been stolen."""

from dataclasses import dataclass, field

from services.accounts import store
from services.accounts.usecases.sign_token import make_key
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RevokeKeys:
    """The secrets that seal the new key, the newest first, separated by commas; or empty."""

    secrets: str = field(repr=False)


def revoke_keys(work: Work, command: RevokeKeys) -> str:
    """Delete all keys, make a new one, and return its id (`kid`).

    No access token that was signed until now is valid any more. Sessions last on, because their
    renewal tokens are derived from another key.
    """
    current = store.signing_key(work)
    new = make_key(int(current.id) + 1 if current else 1, command.secrets)
    store.replace_all_keys(work, new)
    return new.kid
