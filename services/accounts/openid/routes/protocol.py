"""Routes for clients of OpenID Connect: discovery, keys, tokens, and what they learn.

They have the form that the protocol asks for, not that of this API, so its document leaves them
out; the discovery document lists them.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.accounts.fields import OwnSettings
from services.accounts.keys.commands import OPENID_ALGORITHM, public_keys
from services.accounts.keys.store import OPENID
from services.accounts.openid.commands.grants import (
    give_tokens,
    introspect,
    revoke,
    user_info,
)
from services.accounts.openid.commands.registration import ALGORITHMS, authenticated
from services.accounts.openid.rules import CLAIMS_OF_SCOPES, Fault
from shared.auth import token_of
from shared.clock import library_day, wall_clock
from shared.http.dependencies import BusinessTime, Db, Run

router = APIRouter(include_in_schema=False)

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 30
_NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
DISCOVERY = "/.well-known/openid-configuration"
TOKEN, INTROSPECTION, REVOCATION = "/openid/token", "/openid/introspection", "/openid/revocation"


@router.get(DISCOVERY)
async def get_discovery(settings: OwnSettings) -> Response:
    """Return what clients need to know (OpenID Connect Discovery 1.0, RFC 8414)."""
    issuer = settings.openid_issuer
    claims = [name for names in CLAIMS_OF_SCOPES.values() for name in names]
    of_clients = {
        f"{endpoint}_endpoint_auth_{name}": values
        for endpoint in ("token", "introspection", "revocation")
        for name, values in (
            ("methods_supported", _METHODS),
            ("signing_alg_values_supported", ALGORITHMS),
        )
    }
    document = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/openid/authorize",
        "token_endpoint": issuer + TOKEN,
        "userinfo_endpoint": f"{issuer}/openid/userinfo",
        "jwks_uri": f"{issuer}/openid/keys",
        "end_session_endpoint": f"{issuer}/openid/log-out",
        "revocation_endpoint": issuer + REVOCATION,
        "introspection_endpoint": issuer + INTROSPECTION,
        "scopes_supported": list(CLAIMS_OF_SCOPES),
        "claims_supported": [*claims, "iss", "aud", "exp", "iat", "auth_time", "nonce", "sid"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": [OPENID_ALGORITHM],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "ui_locales_supported": ["en", "zh-Hant", "zh-Hans"],
        **of_clients,
    }
    return JSONResponse(document, headers={"Cache-Control": "public, max-age=300"})


@router.get("/openid/keys")
async def get_keys(db: Db, settings: OwnSettings) -> Response:
    """Return the public keys that verify ID tokens and log-out tokens (RFC 7517)."""
    keys = await public_keys(db, wall_clock(), settings.signing_secrets, OPENID)
    return JSONResponse(keys, headers={"Cache-Control": "public, max-age=60"})


_ACTS = {TOKEN: give_tokens, INTROSPECTION: introspect, REVOCATION: revoke}


@router.post(TOKEN)
@router.post(INTROSPECTION)
@router.post(REVOCATION)
async def post_form(request: Request, run: Run, settings: OwnSettings) -> Response:
    """Answer a client that has shown its credentials, or with the error of the protocol.

    It gets tokens (RFC 6749), learns what a token is good for (RFC 7662), or ends one (RFC 7009).
    """
    issuer, path, now = settings.openid_issuer, request.url.path, wall_clock()
    authorization = request.headers.get("authorization", "")
    try:
        form = await _form(request)
        audiences = (issuer, issuer + TOKEN, issuer + path)
        client = await authenticated(run.database, authorization, form, audiences, now)
        return _answer(await _ACTS[path](run, settings, client, form, now))
    except Fault as fault:
        asks = {"WWW-Authenticate": 'Basic realm="Carrel"'} if fault.status == 401 else {}
        return _answer(fault.answer, fault.status, asks)


@router.api_route("/openid/userinfo", methods=["GET", "POST"])
async def get_user_info(
    request: Request, db: Db, settings: OwnSettings, now: BusinessTime
) -> Response:
    """Return what the holder of an access token learns of its patron (Core, section 5.3)."""
    given, today = token_of(request), library_day(now, settings.zone)
    try:
        found = await user_info(db, settings, given, wall_clock(), today)
    except Fault as fault:
        challenge = 'Bearer realm="Carrel"' + (f', error="{fault.error}"' if given else "")
        return _answer(fault.answer, fault.status, {"WWW-Authenticate": challenge})
    return _answer(found)


async def _form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form. Raises Fault, also for a field that was sent twice."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        text = (await request.body()).decode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Fault("invalid_request", "The body is no form.") from None
    form = dict(pairs)
    if kind != _FORM or len(form) < len(pairs):
        raise Fault("invalid_request", "The body is no form, or has a field twice.")
    return form


def _answer(
    content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return JSONResponse(content, status, {**_NOT_KEPT, **(headers or {})})
