"""The connection to the identity provider (Discovery 1.0, RFC 6749, RFC 7517)."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import orjson
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from services.accounts.identity_provider import refusals
from services.accounts.refusals import Refusal
from services.accounts.settings import Settings
from shared.deadlines import allowed
from shared.token_form import key_id

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519")
"""Algorithms of ID tokens: no `none`, and none with a shared secret."""
DISCOVERY = "/.well-known/openid-configuration"
CALL_SECONDS = 4.0
"""Time limit of one call with all its steps."""
KEPT_SECONDS = 3600
"""Time for which a process keeps the provider's documents."""
REST_SECONDS = 5
"""Time after a failed look at the provider in which it is not asked again."""
MOST_BYTES = 256 * 1024
"""Size limit of an answer; Entra's keys have some 20 KB."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Metadata:
    """The parts of the discovery document that Carrel uses."""

    authorization: str
    token: str
    keys: str
    end_session: str
    """Address at which people log out there; empty: none."""
    secret_in_form: bool
    """True if it does not take a client's secret by HTTP Basic."""
    names_itself: bool
    """True if each answer has `iss` (RFC 9207)."""


class Provider:
    """The identity provider of the library; its documents are kept for an hour.

    Everything raises ProviderAway, and NoProvider if none is configured.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metadata: Metadata | None = None
        self._keys: Mapping[str, Key] = {}
        self._metadata_until = self._keys_until = self._rests_until = 0.0
        self._reading = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """Return what the provider says of itself."""
        issuer = self._settings.staff_issuer
        if not issuer:
            raise refusals.NoProvider
        async with self._reading:
            if self._metadata is None or time.monotonic() > self._metadata_until:
                if time.monotonic() < self._rests_until:
                    raise refusals.ProviderAway
                self._rests_until = time.monotonic() + REST_SECONDS
                self._metadata = await self._read_metadata(issuer)
                self._metadata_until = time.monotonic() + KEPT_SECONDS
            return self._metadata

    async def _read_metadata(self, issuer: str) -> Metadata:
        found = _whole(await self._call("GET", issuer.rstrip("/") + DISCOVERY))
        if found.get("issuer") != issuer:
            raise _away("the issuer has another name")
        methods = found.get("token_endpoint_auth_methods_supported")
        return Metadata(
            authorization=self._address(found, "authorization_endpoint"),
            token=self._address(found, "token_endpoint"),
            keys=self._address(found, "jwks_uri"),
            end_session=self._address(found, "end_session_endpoint", needed=False),
            secret_in_form=isinstance(methods, list) and "client_secret_basic" not in methods,
            names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        )

    async def claims(self, code: str, verifier: str) -> Mapping[str, Any]:
        """Redeem a code, and return the claims of its ID token, whose signature is right.

        Raises BadProviderLogIn too.
        """
        settings, metadata = self._settings, await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": settings.provider_callback,
            "code_verifier": verifier,
        }
        basic = {}
        if metadata.secret_in_form:
            own = {"client_id": settings.staff_client_id}
            form |= own | {"client_secret": settings.staff_client_secret}
        else:  # RFC 6749, section 2.3.1
            credentials = (settings.staff_client_id, settings.staff_client_secret)
            basic["Authorization"] = aiohttp.encode_basic_auth(*map(quote_plus, credentials))
        status, answer = await self._call("POST", metadata.token, basic, data=form)
        if status == 400 and answer.get("error") == "invalid_grant":
            raise refusals.BadProviderLogIn
        id_token = _whole((status, answer)).get("id_token")
        if not isinstance(id_token, str):
            raise _away("there is no ID token")
        return await self._verified(id_token)

    async def _verified(self, id_token: str) -> Mapping[str, Any]:
        """Return the claims of an ID token; an unknown key lets the keys be read once more."""
        try:
            kid = key_id(id_token)
            if time.monotonic() > self._keys_until or kid not in self._keys:
                await self._read_keys()
            return jwt.decode(id_token, self._keys[kid], ALGORITHMS).claims
        except (JoseError, ValueError, LookupError, TypeError):
            raise refusals.BadProviderLogIn from None

    async def _read_keys(self) -> None:
        listed = _whole(await self._call("GET", (await self.metadata()).keys)).get("keys")
        keys: dict[str, Key] = {}
        for one in filter(_signs, listed if isinstance(listed, list) else ()):
            with suppress(JoseError, ValueError, TypeError):  # of a kind that is not known here
                keys[str(one.get("kid"))] = import_key(one)
        self._keys = keys
        self._keys_until = time.monotonic() + KEPT_SECONDS

    def _address(self, found: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
        address = found.get(name, "")
        if address == "" and not needed:
            return ""
        if not isinstance(address, str) or not self._settings.is_safe_address(address):
            raise _away(f"{name} is no address with https")
        return address

    async def _call(
        self, method: str, address: str, own: Mapping[str, str] | None = None, **more: Any
    ) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of an answer. Redirects are not followed."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **(own or {})}
        try:
            async with (
                asyncio.timeout(allowed(CALL_SECONDS)),
                aiohttp.ClientSession(
                    cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
                ) as session,
                session.request(
                    method, address, headers=headers, allow_redirects=False, **more
                ) as answer,
            ):
                body = b""
                async for part in answer.content.iter_chunked(64 * 1024):
                    body += part
                    if len(body) > MOST_BYTES:
                        raise _away("an answer is too large")
                found = orjson.loads(body)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            raise _away(type(error).__name__) from None
        return answer.status, found if isinstance(found, dict) else {}


def _whole(answer: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    status, found = answer
    if status != 200:
        raise _away(f"it answers {status}")
    return found


def _away(reason: str) -> Refusal:
    log.warning("identity provider away", reason=reason)
    return refusals.ProviderAway()


def _signs(key: Any) -> bool:
    kinds = ("RSA", "EC", "OKP")
    return isinstance(key, dict) and key.get("kty") in kinds and key.get("use", "sig") == "sig"
