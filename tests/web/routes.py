"""Page routes that the tests have used, with way and language, recorded from the answers."""

from collections.abc import Iterable
from typing import Literal, get_args
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.routing import APIRoute
from playwright.async_api import BrowserContext, Response

from services.gateway.web import site

Way = Literal["scripts", "no scripts", "keyboard"]
"""Ways of using the pages; "keyboard" is with scripts."""

LANGUAGES = ("en", "zh-Hant", "zh-Hans")
WITH_SCRIPTS_ONLY = {
    *("/me/stream", "/setting/devices", "/desk/offline/settlement"),
    *("/log-in/passkey", "/passkeys/options", "/passkeys/new"),
}
"""Routes that no page without scripts requests."""


def _routes(routers: Iterable[APIRouter]) -> list[tuple[str, APIRoute]]:
    return [
        (method, route)
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and not route.path.startswith("/static/")
        for method in sorted(route.methods or ())
    ]


_ALL = _routes(site.ROUTERS)


def routes_of(*routers: APIRouter) -> list[tuple[str, str]]:
    """Return methods and paths of the routes of some pages, except those of scripts and styles."""
    return [(method, route.path) for method, route in _routes(routers)]


class Driven:
    """The routes that answered without an error, each with way and language of the window."""

    def __init__(self) -> None:
        self._found: set[tuple[str, str, Way, str]] = set()

    def over(self, context: BrowserContext, way: Way, language: str) -> None:
        """Record the answers to all pages of the context from now on."""

        def note(response: Response) -> None:
            path = urlsplit(response.url).path
            for method, route in _ALL:
                if method == response.request.method and route.path_regex.fullmatch(path):
                    if response.status < 400:
                        self._found.add((method, route.path, way, language))
                    return

        context.on("response", note)

    def missing(self, method: str, path: str) -> set[str]:
        """Return the ways and the languages in which a route was not used."""
        expected = {"scripts"} if path in WITH_SCRIPTS_ONLY else {*get_args(Way), *LANGUAGES}
        found = {one[2:] for one in self._found if one[:2] == (method, path)}
        return expected - {word for one in found for word in one}
