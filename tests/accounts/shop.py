"""An e-book shop: a client of OpenID Connect, whose calls the gateway forwards."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet

from services.accounts.openid.commands.registration import register
from services.accounts.openid.rules import CLAIMS_OF_SCOPES, Client, secret_digest
from shared.clock import wall_clock
from shared.unit_of_work import Origin
from tests.support import Answer, Api

CALLBACK = "https://ebooks.example/callback"
SECRET = "a secret of the e-book shop"
EBOOKS = Client(
    id="ebooks",
    name="E-book shop",
    redirect_uris=(CALLBACK, f"{CALLBACK}?app=1"),
    scopes=tuple(CLAIMS_OF_SCOPES),
    sector="ebooks.example",
    salt="salt of these tests",
    secrets=(secret_digest(SECRET),),
    log_out_redirect_uris=("https://ebooks.example/bye",),
)
OTHER_SHOP = replace(EBOOKS, id="films", name="Films", sector="films.example", salt="another salt")


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def query_of(address: str) -> dict[str, str]:
    return {name: one for name, [one] in parse_qs(urlsplit(address).query).items()}


@dataclass
class Shop:
    """The shop, with the session of a patron in a browser."""

    api: Api
    session: str = ""
    """Access token of the patron's session."""
    id: str = "ebooks"
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def asked(self, **changed: str) -> dict[str, str]:
        """Return the parameters of a request; empty ones are left out."""
        asked = {
            "client_id": self.id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid profile email",
            "state": "state of the shop",
            "nonce": "n-0S6_WzA2Mj",
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }
        return {name: one for name, one in (asked | changed).items() if one}

    async def ask(self, decision: str | None = "allow", **changed: str) -> Answer:
        """Ask for a code in the patron's session, or before log-in."""
        body: dict[str, Any] = {"parameters": self.asked(**changed)}
        if not self.session:
            return await self.api.post("/v1/authorization-checks", body)
        body |= {"decision": decision} if decision else {}
        return await self.api.post("/v1/me/authorizations", body, as_=self.session)

    async def answered(self, decision: str | None = "allow", **changed: str) -> dict[str, str]:
        """Return the parameters of the answer that the browser brings back."""
        answer = await self.ask(decision, **changed)
        assert answer.status == 200, answer.body
        return query_of(answer.json()["redirect_uri"])

    async def call(self, path: str, *, authorization: str = "", **form: str) -> Answer:
        """Send a form with the client's secret in it, unless it has credentials already."""
        own = {"client_secret": SECRET}
        if authorization or "client_assertion" in form:
            own = {}
        fields = {"client_id": self.id} | own | form
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if authorization:
            headers["Authorization"] = authorization
        body = urlencode({name: one for name, one in fields.items() if one}).encode()
        return await self.api.call("POST", path, data=body, headers=headers)

    async def exchange(self, code: str, **changed: str) -> Answer:
        """Exchange a code for tokens."""
        changed = {"redirect_uri": CALLBACK, "code_verifier": self.verifier} | changed
        form = {"grant_type": "authorization_code", "code": code} | changed
        return await self.call("/openid/token", **form)

    async def log_in(self, scope: str = "openid profile email", **changed: str) -> dict[str, Any]:
        """Log the patron in to the shop, and return the tokens."""
        code = (await self.answered(scope=scope, **changed))["code"]
        answer = await self.exchange(code)
        assert answer.status == 200, answer.body
        return dict(answer.json())

    async def refresh(self, token: str) -> Answer:
        return await self.call("/openid/token", grant_type="refresh_token", refresh_token=token)

    async def user_info(self, token: str) -> Answer:
        return await self.api.get("/openid/userinfo", as_=token)

    async def introspect(self, token: str) -> dict[str, Any]:
        answer = await self.call("/openid/introspection", token=token)
        assert answer.status == 200
        return dict(answer.json())

    async def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that verifies with the published keys."""
        keys = KeySet.import_key_set((await self.api.get("/openid/keys")).json())
        return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


async def registered_client(api: Api, client: Client = EBOOKS) -> None:
    """Register a client, as `carrel clients add` does."""
    await api.app.state.unit_of_work.run(register, client, Origin(wall_clock()))
