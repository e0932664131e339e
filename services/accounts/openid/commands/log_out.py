"""End grants with their session, tell clients of it, and log out from a client."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.accounts.keys.commands import (
    OPENID_ALGORITHM,
    current_key,
    public_keys,
    sign_for_clients,
)
from services.accounts.keys.store import OPENID
from services.accounts.openid import store
from services.accounts.openid.clients import post_log_out
from services.accounts.openid.rules import PAUSES, Client, Grant, ended, subject_of, with_query
from services.accounts.settings import Settings
from shared.ids import new_id
from shared.mongo import Database
from shared.unit_of_work import Run, Work

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_TYPE = "logout+jwt"  # noqa: S105 - a type, not a secret
_LASTS = timedelta(minutes=2)

log = structlog.get_logger()


def end_session(work: Work, session_id: str, at: datetime) -> None:
    """End the grants of a session that has ended; those that outlast it are only told of that."""
    grants = store.grants_of_session(work, session_id)
    end_grants(work, [one for one in grants if not one.is_offline], at)
    told = _told_of(work, [one for one in grants if one.is_offline])
    store.save_grants(
        work, *(replace(one, log_out_at=at, tries=0, version=one.version + 1) for one in told)
    )


def end_grants(work: Work, grants: Sequence[Grant], at: datetime) -> None:
    """End grants, at `at` by the wall clock; clients that want to know it are told."""
    told = _told_of(work, grants)
    store.delete_grants(work, [one.id for one in grants if one not in told])
    store.save_grants(work, *(ended(one, at) for one in told))


def _told_of(work: Work, grants: Sequence[Grant]) -> list[Grant]:
    """Return the grants whose clients have an address for log-outs, and have got tokens."""
    used = [one for one in grants if one.place and not one.ended]
    clients = store.clients(work, {one.client_id for one in used}) if used else {}
    return [one for one in used if one.client_id in clients and clients[one.client_id].log_out_uri]


async def tell_client(run: Run, settings: Settings, grant_id: str, at: datetime) -> bool:
    """Try to tell a client that a session has ended; return whether it was told."""
    claimed = await run(claim_log_out, grant_id, at)
    if claimed is None:
        return False
    grant, client = claimed
    secrets, issued = settings.signing_secrets, int(at.timestamp())
    claims = {
        "iss": settings.openid_issuer,
        "aud": client.id,
        "sub": subject_of(client, grant.patron_id),
        "sid": grant.id,
        "iat": issued,
        "exp": issued + int(_LASTS.total_seconds()),
        "jti": new_id(),
        "events": {EVENT: {}},
    }
    key = await current_key(run.database, secrets, OPENID)
    token = await sign_for_clients(key, secrets, claims, TOKEN_TYPE)
    if not await post_log_out(client.log_out_uri, token):
        return False
    await run(settle_log_out, grant.id)
    return True


def claim_log_out(work: Work, grant_id: str, at: datetime) -> tuple[Grant, Client] | None:
    """Claim the next try for a grant; None if it is not due, or was tried often enough."""
    grant = store.grant(work, grant_id)
    if grant is None or grant.log_out_at is None or grant.log_out_at > at:
        return None
    client = store.client(work, grant.client_id)
    if client is None or not client.log_out_uri or grant.tries >= len(PAUSES):
        log.warning("log-out given up", client=grant.client_id)
        _settle(work, grant)
        return None
    due, version = at + PAUSES[grant.tries], grant.version + 1
    claimed = replace(grant, tries=grant.tries + 1, log_out_at=due, version=version)
    store.save_grants(work, claimed)
    return claimed, client


def settle_log_out(work: Work, grant_id: str) -> None:
    """Note that a client was told."""
    grant = store.grant(work, grant_id)
    if grant is not None:
        _settle(work, grant)


def _settle(work: Work, grant: Grant) -> None:
    if grant.ended:
        store.delete_grants(work, [grant.id])
    elif grant.log_out_at is not None:
        store.save_grants(work, replace(grant, log_out_at=None, version=grant.version + 1))


async def asked_log_out(
    db: Database, settings: Settings, asked: Mapping[str, str], at: datetime
) -> tuple[Client | None, str | None]:
    """Return who asks for a log-out (RP-Initiated Logout 1.0), and where the patron may go on."""
    hint = await hinted(db, settings, asked, at)
    named = asked.get("client_id", "")
    audience = str(hint.get("aud", named))
    client = await store.find_client(db, audience) if named in ("", audience) else None
    uri = asked.get("post_logout_redirect_uri", "")
    if client is None or uri not in client.log_out_redirect_uris:
        return client, None
    return client, with_query(uri, {"state": asked.get("state", "")})


async def hinted(
    db: Database, settings: Settings, asked: Mapping[str, str], at: datetime
) -> Mapping[str, Any]:
    """Return the claims of the ID token in a request, which may have expired; empty: no valid one.

    It says whom the client means.
    """
    if not asked.get("id_token_hint"):
        return {}
    published = await public_keys(db, at, settings.signing_secrets, OPENID)
    try:
        keys = KeySet.import_key_set(published)  # type: ignore[arg-type]
        claims = jwt.decode(asked["id_token_hint"], keys, [OPENID_ALGORITHM]).claims
    except (JoseError, ValueError, TypeError):
        return {}
    return claims if claims.get("iss") == settings.openid_issuer else {}
