"""Which routes of the pages were driven, in which way and language: as their answers tell."""

from typing import Literal
from urllib.parse import urlsplit

from fastapi.routing import APIRoute
from playwright.async_api import BrowserContext, Response

from services.gateway.web import site

Way = Literal["scripts", "no scripts", "keyboard"]
"""How the pages are worked; by keyboard it is with scripts."""

ROUTES = [
    (method, route)
    for router in site.ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and not route.path.startswith("/static/")
    for method in sorted(route.methods or ())
]
"""Every route of the pages, but that of scripts and styles."""


class Driven:
    """The routes that answered well, each with the way and the language of the window."""

    def __init__(self) -> None:
        self._found: set[tuple[str, str, Way, str]] = set()

    def over(self, context: BrowserContext, way: Way, language: str) -> None:
        """Note what all pages of the context are answered from now on."""

        def note(response: Response) -> None:
            path = urlsplit(response.url).path
            for method, route in ROUTES:
                if method == response.request.method and route.path_regex.fullmatch(path):
                    if response.status < 400:
                        self._found.add((method, route.path, way, language))
                    return

        context.on("response", note)

    def ways(self, method: str, path: str) -> set[str]:
        """The ways in which a route was driven."""
        return {way for m, p, way, _ in self._found if (m, p) == (method, path)}

    def languages(self, method: str, path: str) -> set[str]:
        """The languages in which it was."""
        return {language for m, p, _, language in self._found if (m, p) == (method, path)}
