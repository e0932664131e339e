"""Grants: decide on the request of a client, exchange codes and tokens, and take grants away."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

from services.accounts.cardholders import store as cardholders_store
from services.accounts.keys.commands import current_key, sign_for_clients
from services.accounts.keys.store import OPENID as KEYS
from services.accounts.openid import store
from services.accounts.openid.commands.log_out import end_grants
from services.accounts.openid.refusals import NoSuchClient, WrongAddress
from services.accounts.openid.rules import (
    ACCESS,
    ACCESS_LASTS,
    CODE,
    CODE_LASTS,
    OFFLINE_LASTS,
    REFRESH,
    Client,
    Consent,
    Fault,
    Grant,
    Reused,
    claims_of,
    exchanged,
    expiry,
    fault_of,
    needs_log_in,
    refreshed,
    scopes_asked,
    subject_of,
    token,
)
from services.accounts.refusals import NoSuchPatron
from services.accounts.settings import Settings
from services.accounts.sign_in import store as sign_in_store
from services.accounts.sign_in.refusals import SessionEnded
from shared.ids import new_id
from shared.keys import number_of
from shared.mongo import Database
from shared.refusals import or_refuse
from shared.unit_of_work import Run, Work

Needs = Literal["log-in", "consent"]
Decision = Literal["allow", "deny"]


@dataclass(frozen=True)
class Outcome:
    """A request that was answered with a grant or a fault, or that needs a step before."""

    client: Client
    scopes: tuple[str, ...]
    needs: Needs | None = None
    fault: Mapping[str, str] | None = None
    grant: Grant | None = None


@dataclass(frozen=True)
class Authorize:
    """A request that a patron has brought in a session, with the decision if there was one."""

    asked: Mapping[str, str]
    patron_id: str
    session_id: str
    decision: Decision | None
    at: datetime
    expected: str = ""
    """The `sub` of the patron whom the client expects; empty: any."""


async def without_session(db: Database, asked: Mapping[str, str]) -> Outcome:
    """Return the outcome of a request before log-in. Raises NoSuchClient or WrongAddress."""
    client = _addressed(await store.find_client(db, asked.get("client_id", "")), asked)
    return _outcome(client, asked, "log-in")


def authorize(work: Work, command: Authorize) -> Outcome:
    """Decide on a request. Raises NoSuchClient, WrongAddress or SessionEnded."""
    asked = command.asked
    client = _addressed(store.client(work, asked.get("client_id", "")), asked)
    session = or_refuse(sign_in_store.session(work, command.session_id), SessionEnded)
    other = command.expected not in ("", subject_of(client, command.patron_id))
    if other or fault_of(asked) or needs_log_in(asked, session.opened_at, command.at):
        return _outcome(client, asked, "log-in")
    scopes = scopes_asked(asked, client)
    consent_id = f"{client.id} {command.patron_id}"
    before = store.consent(work, consent_id)
    asks = "consent" in asked.get("prompt", "").split()
    if command.decision is None and (
        asks or before is None or not set(scopes) <= set(before.scopes)
    ):
        return _outcome(client, asked, "consent")
    if command.decision == "deny":
        return Outcome(client, scopes, fault=Fault("access_denied").answer)
    given = tuple(dict.fromkeys((*(before.scopes if before else ()), *scopes)))
    if before is None:
        now = Consent(consent_id, client.id, command.patron_id, given, command.at)
        store.put_consent(work, now)
    elif given != before.scopes:
        store.put_consent(work, replace(before, scopes=given, version=before.version + 1))
    holder = or_refuse(cardholders_store.cardholder(work, command.patron_id), SessionEnded)
    grant = Grant(
        id=new_id(),
        client_id=client.id,
        patron_id=command.patron_id,
        session_id=session.id,
        scopes=scopes,
        redirect_uri=asked["redirect_uri"],
        challenge=asked["code_challenge"],
        nonce=asked.get("nonce", ""),
        logged_in_at=session.opened_at,
        pin_version=holder.pin_version,
        expires_at=command.at + 2 * CODE_LASTS,
    )
    store.add_grant(work, grant)
    return Outcome(client, scopes, grant=grant)


def _addressed(client: Client | None, asked: Mapping[str, str]) -> Client:
    """Return the client if it may be answered where it asks. Raises NoSuchClient, WrongAddress.

    Until then nothing is sent to that address, not even an error: anybody may have made the link.
    """
    found = or_refuse(client, NoSuchClient)
    if asked.get("redirect_uri") not in found.redirect_uris:
        raise WrongAddress
    return found


def _outcome(client: Client, asked: Mapping[str, str], needs: Needs) -> Outcome:
    fault = fault_of(asked)
    if fault is None and "none" in asked.get("prompt", "").split():
        fault = Fault("login_required" if needs == "log-in" else "consent_required")
    answer = fault.answer if fault else None
    return Outcome(client, scopes_asked(asked, client), None if fault else needs, answer)


async def given_to(db: Database, patron_id: str) -> list[tuple[Client, Consent]]:
    """Return the clients to which a patron has given something, with what it is."""
    consents = await store.find_consents(db, patron_id)
    clients = await store.find_clients(db, [one.client_id for one in consents])
    known = [(clients[one.client_id], one) for one in consents if one.client_id in clients]
    return sorted(known, key=lambda pair: (pair[0].name.casefold(), pair[0].id))


def take_away(work: Work, client_id: str, patron_id: str, at: datetime) -> None:
    """End what a patron has given to a client. Raises NoSuchClient if it has nothing."""
    consent = or_refuse(store.consent(work, f"{client_id} {patron_id}"), NoSuchClient)
    store.remove_consent(work, consent)
    end_grants(work, store.grants_at(work, client_id, patron_id), at)


async def give_tokens(
    run: Run, settings: Settings, client: Client, form: Mapping[str, str], at: datetime
) -> dict[str, Any]:
    """Return the answer to a request for tokens, at `at` by the wall clock. Raises Fault."""
    secrets, keys = settings.signing_secrets, settings.renewal_keys
    key = await current_key(run.database, secrets, KEYS)
    steps = run.in_steps()  # a response that is stored for a repeated request would have secrets
    given: Grant | None = None
    kind = form.get("grant_type", "")
    if kind == "authorization_code":
        if found := number_of(keys, CODE, form.get("code", "")):
            given = await steps(use_code, client.id, found, form, at)
    elif kind == "refresh_token":
        if found := number_of(keys, REFRESH, form.get("refresh_token", "")):
            given = await steps(use_refresh_token, client.id, found, at)
    else:
        raise Fault("unsupported_grant_type" if kind else "invalid_request")
    if given is None:
        raise Fault("invalid_grant", "It was used before, has expired, or was taken away.")
    issued = int(at.timestamp())
    nonce = given.nonce if kind == "authorization_code" else ""
    claims = {
        "iss": settings.openid_issuer,
        "sub": subject_of(client, given.patron_id),
        "aud": client.id,
        "iat": issued,
        "exp": expiry(at, ACCESS_LASTS),
        "auth_time": int(given.logged_in_at.timestamp()),
        "sid": given.id,
        **({"nonce": nonce} if nonce else {}),
    }
    offline = {"refresh_token": token(REFRESH, given, given.place, keys)}
    return {
        "access_token": token(ACCESS, given, expiry(at, ACCESS_LASTS), keys),
        "token_type": "Bearer",
        "expires_in": int(ACCESS_LASTS.total_seconds()),
        "scope": " ".join(given.scopes),
        "id_token": await sign_for_clients(key, secrets, claims, "JWT"),
        **(offline if given.is_offline else {}),
    }


def use_code(
    work: Work, client_id: str, place: tuple[str, int], form: Mapping[str, str], at: datetime
) -> Grant | None:
    """Return the grant of a code that is used for the first time; None if it can't be used.

    `place` is the grant's id and the code's expiry. A code that was used before ends what it gave.
    That has to be committed, so the caller refuses. Raises Fault for another request than its own.
    """
    grant = store.grant(work, place[0])
    if grant is None or grant.client_id != client_id:
        return None
    session = sign_in_store.session(work, grant.session_id)
    until = session.expires_at if session and not grant.is_offline else at + OFFLINE_LASTS
    uri, verifier = form.get("redirect_uri", ""), form.get("code_verifier", "")
    try:
        after = exchanged(grant, uri, verifier, until)
    except Reused:
        store.delete_grants(work, [grant.id])
        return None
    if session is None or session.expires_at <= at or place[1] <= at.timestamp():
        return None
    store.save_grants(work, after)
    return after


def use_refresh_token(
    work: Work, client_id: str, place: tuple[str, int], at: datetime
) -> Grant | None:
    """Return the grant after its newest refresh token was used.

    An older one ends it, and so does a PIN that the patron has got since.
    """
    grant = store.grant(work, place[0])
    if grant is None or grant.client_id != client_id or grant.ended or grant.expires_at <= at:
        return None
    holder = cardholders_store.cardholder(work, grant.patron_id)
    try:
        if holder is None or holder.pin_version != grant.pin_version:
            raise Reused
        after = refreshed(grant, place[1], at)
    except Reused:
        store.delete_grants(work, [grant.id])
        return None
    store.save_grants(work, after)
    return after


async def live_grant(db: Database, settings: Settings, given: str, at: datetime) -> Grant | None:
    """Return the grant of a valid access token, by the wall clock."""
    found = number_of(settings.renewal_keys, ACCESS, given)
    grant = await store.find_grant(db, found[0]) if found and found[1] > at.timestamp() else None
    if grant is None or grant.ended or not grant.place or grant.expires_at <= at:
        return None
    if not grant.is_offline:
        session = await sign_in_store.find_session(db, grant.session_id)
        if session is None or session.expires_at <= at:
            return None
    return grant


async def user_info(
    db: Database, settings: Settings, given: str, at: datetime, today: date
) -> dict[str, Any]:
    """Return what the client with an access token learns of its patron. Raises Fault."""
    grant = await live_grant(db, settings, given, at)
    client = await store.find_client(db, grant.client_id) if grant else None
    if grant is None or client is None:
        raise Fault("invalid_token", "", 401)
    try:
        patron, holder = await cardholders_store.find_patron_and_holder(db, grant.patron_id)
    except NoSuchPatron:
        raise Fault("invalid_token", "", 401) from None
    return claims_of(client, grant.scopes, patron, holder, today)


async def introspect(
    run: Run, settings: Settings, client: Client, form: Mapping[str, str], at: datetime
) -> dict[str, Any]:
    """Return what an access token of a client is good for; it learns of no other's tokens."""
    given = form.get("token", "")
    grant = await live_grant(run.database, settings, given, at)
    if grant is None or grant.client_id != client.id:
        return {"active": False}
    return {
        "active": True,
        "iss": settings.openid_issuer,
        "client_id": client.id,
        "sub": subject_of(client, grant.patron_id),
        "scope": " ".join(grant.scopes),
        "token_type": "Bearer",
        "exp": int(given.split(".")[1]),
    }


async def revoke(
    run: Run, settings: Settings, client: Client, form: Mapping[str, str], _: datetime
) -> dict[str, Any]:
    """End the grant of a client's token; one that is unknown has ended already."""
    for purpose in (ACCESS, REFRESH):
        if found := number_of(settings.renewal_keys, purpose, form.get("token", "")):
            await run(end_grant, client.id, found[0])
    return {}


def end_grant(work: Work, client_id: str, grant_id: str) -> None:
    """End a grant, if it is the client's."""
    grant = store.grant(work, grant_id)
    if grant is not None and grant.client_id == client_id:
        store.delete_grants(work, [grant.id])
