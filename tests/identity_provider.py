"""A stand-in for a library's identity provider, such as Keycloak, that tests can turn bad."""

import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html import escape
from typing import Any
from urllib.parse import unquote_plus

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

from services.accounts.identity_provider.rules import challenge_of

CLIENT_ID = "carrel"
CLIENT_SECRET = "a secret: with + and % in it"
KEY, OTHER_KEY = [RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True) for _ in range(2)]
EMAIL = "lee@example.org"
LEE = {
    "sub": "5c9b1c2e-lee",
    "preferred_username": "Lee.Siu-Lung",
    "email": EMAIL,
    "email_verified": True,
    "groups": ["/librarians"],
}


class IdentityProvider:
    """The provider: its documents, its log-in page, and what it says of a person."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.issuer = f"http://127.0.0.1:{port}"
        self.person: dict[str, Any] = dict(LEE)
        self.changed: dict[str, Any] = {}
        """Claims of ID tokens that are other than they should be; None: left out."""
        self.document: dict[str, Any] = {}
        """Fields of the discovery document that are other than they should be."""
        self.key, self.keys = KEY, [KEY]
        self.algorithm = "RS256"
        self.id_token: str | None = None
        """An ID token instead of a right one."""
        self.answer: web.Response | None = None
        """An answer instead of every right one."""
        self.calls: list[str] = []
        """Paths that were called, in order."""
        self.secret_in_form = False
        self._asked: dict[str, Mapping[str, str]] = {}

    def answered(self, asked: Mapping[str, str]) -> dict[str, str]:
        """Return the answer to a request of a browser whose person has logged in."""
        code = secrets.token_urlsafe(16)
        self._asked[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def claims(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Return the claims of the ID token for a request."""
        now = int(time.time())
        times = {"iat": now, "exp": now + 300}
        ours = {"iss": self.issuer, "aud": CLIENT_ID, "nonce": asked["nonce"], **times}
        found = {**ours, **self.person, **self.changed}
        return {name: value for name, value in found.items() if value is not None}

    async def _discovery(self, _: web.Request) -> web.Response:
        methods = ["client_secret_post"] if self.secret_in_form else ["client_secret_basic"]
        ours = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/log-out",
            "token_endpoint_auth_methods_supported": methods,
            "authorization_response_iss_parameter_supported": True,
        }
        return web.json_response(ours | self.document)

    async def _keys(self, _: web.Request) -> web.Response:
        shown: list[Any] = [one.as_dict(private=False) for one in self.keys]
        odd = [{"kty": "AKP", "kid": "future"}, {"kty": "RSA", "kid": "broken", "n": "?"}]
        return web.json_response({"keys": [*odd, *shown]})

    async def _authorize(self, request: web.Request) -> web.Response:
        """Show the log-in page, whose form leads back."""
        asked = dict(request.query)
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID)
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">'
            for name, value in self.answered(asked).items()
        )
        form = f'<form action="{escape(asked["redirect_uri"])}">{fields}<button>Sign in</button>'
        return _page(f"{form}</form>")

    async def _token(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        if not self._is_ours(request, form):
            return web.json_response({"error": "invalid_client"}, status=401)
        asked = self._asked.pop(str(form.get("code")), None)
        verified = asked and challenge_of(str(form["code_verifier"])) == asked["code_challenge"]
        if asked is None or not verified or form["redirect_uri"] != asked["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        header = {"alg": self.algorithm, "kid": self.key.kid}
        id_token = self.id_token or jwt.encode(header, self.claims(asked), self.key)
        return web.json_response({"token_type": "Bearer", "id_token": id_token})

    def _is_ours(self, request: web.Request, form: Mapping[str, Any]) -> bool:
        if self.secret_in_form:
            given = [form.get("client_id"), form.get("client_secret")]
        else:
            kind, _, value = request.headers.get("Authorization", "").partition(" ")
            assert kind == "Basic"
            given = [*map(unquote_plus, base64.b64decode(value).decode().split(":"))]
        return given == [CLIENT_ID, CLIENT_SECRET]

    async def _log_out(self, request: web.Request) -> web.Response:
        back = escape(request.query["post_logout_redirect_uri"])
        return _page(f'<p>You have signed out.</p><a href="{back}">Back</a>')

    async def _any(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(request.path)
        if self.answer is not None:
            return self.answer
        pages = {
            "/.well-known/openid-configuration": self._discovery,
            "/keys": self._keys,
            "/authorize": self._authorize,
            "/token": self._token,
            "/log-out": self._log_out,
        }
        return await pages[request.path](request)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Answer until the block ends."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._any)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, reuse_port=True).start()
        try:
            yield
        finally:
            await runner.cleanup()


def unsigned(claims: Mapping[str, Any]) -> str:
    """Return an ID token with the algorithm `none`."""
    parts = [{"alg": "none", "kid": KEY.kid}, dict(claims)]
    encoded = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in parts]
    return f"{b'.'.join(encoded).decode()}."


def _page(content: str) -> web.Response:
    icon = '<link rel="icon" href="data:,">'
    return web.Response(
        text=f"<!doctype html>{icon}<h1>Sign in</h1>{content}", content_type="text/html"
    )
