"""Page routes that the tests have used, with way and language, recorded from the answers."""

from typing import Literal
from urllib.parse import urlsplit

from fastapi.routing import APIRoute
from playwright.async_api import BrowserContext, Response

from services.gateway.web import site

Way = Literal["scripts", "no scripts", "keyboard"]
"""Ways of using the pages; "keyboard" is with scripts."""

ROUTES = [
    (method, route)
    for router in site.ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and not route.path.startswith("/static/")
    for method in sorted(route.methods or ())
]
"""Every route of the pages, except those of scripts and styles."""


class Driven:
    """The routes that answered without an error, each with way and language of the window."""

    def __init__(self) -> None:
        self._found: set[tuple[str, str, Way, str]] = set()

    def over(self, context: BrowserContext, way: Way, language: str) -> None:
        """Record the answers to all pages of the context from now on."""

        def note(response: Response) -> None:
            path = urlsplit(response.url).path
            for method, route in ROUTES:
                if method == response.request.method and route.path_regex.fullmatch(path):
                    if response.status < 400:
                        self._found.add((method, route.path, way, language))
                    return

        context.on("response", note)

    def ways(self, method: str, path: str) -> set[str]:
        """Return the ways in which a route was used."""
        return {way for m, p, way, _ in self._found if (m, p) == (method, path)}

    def languages(self, method: str, path: str) -> set[str]:
        """Return the languages in which a route was used."""
        return {language for m, p, _, language in self._found if (m, p) == (method, path)}
