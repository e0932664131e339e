"""The keys that sign tokens: publish, rotate and revoke them."""

from datetime import timedelta

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.accounts.fields import OwnSettings
from services.accounts.keys.commands import (
    RevokeKeys,
    public_keys,
    revoke_keys,
    rotate_keys,
)
from shared.auth import Ops
from shared.clock import wall_clock
from shared.http.dependencies import Db, Run

router = APIRouter(prefix="/v1")


class PublicKeyOut(BaseModel):
    """A key that verifies tokens, as a JWK."""

    kty: str = Field(examples=["OKP"])
    crv: str = Field(examples=["Ed25519"])
    x: str = Field(examples=["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"])
    kid: str


class KeysOut(BaseModel):
    """A JWK set."""

    keys: list[PublicKeyOut]


class KeyOut(BaseModel):
    """The key that signs from now on."""

    kid: str


@router.get("/keys", tags=["sessions"])
async def get_keys(db: Db, response: Response, settings: OwnSettings) -> KeysOut:
    """Get the public keys that verify tokens, as a JWK set (RFC 7517)."""
    # A verifier that meets an unknown key id fetches the keys again, so caching them is safe.
    response.headers["Cache-Control"] = "public, max-age=60"
    return KeysOut.model_validate(await public_keys(db, wall_clock(), settings.signing_secrets))


@router.post("/ops/keys/rotate", status_code=201, tags=["operations"])
async def post_key(caller: Ops, run: Run, settings: OwnSettings) -> KeyOut:
    """Replace the signing key; the former key stays published until its tokens have expired.

    The secrets of second factors are sealed anew with the newest secret.
    """
    longest = timedelta(hours=settings.longest_token_hours)
    return KeyOut(kid=await run(rotate_keys, wall_clock(), longest, settings.signing_secrets))


@router.post("/ops/keys/revoke", status_code=201, tags=["operations"])
async def post_revocation(caller: Ops, run: Run, settings: OwnSettings) -> KeyOut:
    """Revoke all keys, because one may have been stolen, and make a new one.

    Within 15 seconds no service accepts a token that was signed before, nor that of this request.
    """
    return KeyOut(kid=await run(revoke_keys, RevokeKeys(settings.signing_secrets)))
