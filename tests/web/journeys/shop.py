"""An e-book shop that logs patrons in with their library accounts, by Authlib."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session

from ops.infrastructure import ports
from ops.infrastructure.processes import System
from tests.shops import registered_shop

SCOPES = "openid profile email library may_borrow age_band offline_access"


class Shop:
    """The shop's pages: they send a form to the library, and greet who comes back."""

    def __init__(self, library: str, here: str, client_id: str, secret: str) -> None:
        self.library, self.here = library, here
        self.client = OAuth2Session(
            client_id,
            secret,
            scope=SCOPES,
            redirect_uri=f"{here}/callback",
            code_challenge_method="S256",
            token_endpoint=f"{library}/openid/token",
        )
        self.verifier = self.state = ""
        self.told: list[dict[str, str]] = []
        """Forms of the notices that a session has ended."""

    async def enter(self, _: web.Request) -> web.Response:
        """Lead to the library by a form, as some products do."""
        self.verifier = generate_token(48)
        address, self.state = self.client.create_authorization_url(
            f"{self.library}/openid/authorize", code_verifier=self.verifier
        )
        return self._form(address)

    async def callback(self, request: web.Request) -> web.Response:
        """Exchange the code, refresh, and greet the patron by name."""
        if "error" in request.query:
            return _page(f"Not logged in: {request.query['error']}")
        assert request.query["iss"] == self.library
        user = await asyncio.to_thread(self._fetch, str(request.url))
        return _page(f"Welcome, {user['name']}")

    def _fetch(self, address: str) -> dict[str, Any]:
        self.client.fetch_token(
            authorization_response=address, code_verifier=self.verifier, state=self.state
        )
        self.client.refresh_token()
        found: dict[str, Any] = self.client.get(f"{self.library}/openid/userinfo").json()
        return found

    async def leave(self, _: web.Request) -> web.Response:
        """Lead to the library's page to log out, by a form too."""
        hint = self.client.token["id_token"]
        query = f"id_token_hint={hint}&post_logout_redirect_uri={self.here}/bye"
        return self._form(f"{self.library}/openid/log-out?{query}")

    async def bye(self, _: web.Request) -> web.Response:
        """Show that the patron has come back."""
        return _page("Goodbye")

    async def note(self, request: web.Request) -> web.Response:
        """Take a notice that a session has ended; fail at the first try."""
        self.told.append(dict(parse_qsl(await request.text())))
        return web.Response(status=204)

    def _form(self, address: str) -> web.Response:
        fields = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in parse_qsl(urlsplit(address).query)
        )
        action = address.partition("?")[0]
        return _page(f'<form method="post" action="{action}">{fields}<button>Go</button></form>')


def _page(content: str) -> web.Response:
    icon = '<link rel="icon" href="data:,">'
    return web.Response(
        text=f"<!doctype html>{icon}<h1>Shop</h1><p>{content}</p>", content_type="text/html"
    )


@asynccontextmanager
async def opened_shop(running: System) -> AsyncIterator[Shop]:
    """Run a shop that the library has registered."""
    port = ports.reserve()
    here = f"http://127.0.0.1:{port}"
    shop = Shop(running.gateway_url, here, *await registered_shop(running, here))
    app = web.Application()
    pages = {"/": shop.enter, "/callback": shop.callback, "/leave": shop.leave, "/bye": shop.bye}
    app.add_routes([web.get(path, page) for path, page in pages.items()])
    app.add_routes([web.post("/log-out-notices", shop.note)])
    runner = web.AppRunner(app)
    await runner.setup()
    ports.release(port)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield shop
    finally:
        await runner.cleanup()
