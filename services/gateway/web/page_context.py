"""Values that every template gets beside its own: menus, languages, and the fields of forms."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.dependencies.models import Dependant
from markupsafe import Markup

from services.gateway.web import session, words
from services.gateway.web.files import DESK_WORKER, OFFLINE_FILES, address
from services.gateway.web.languages import LANGUAGES, Language
from services.gateway.web.pages import Menu, Texts, group_of, grouped
from services.gateway.web.session import own_path
from shared.auth import Caller
from shared.ids import new_id

Shortcuts = tuple[tuple[str, str, str], ...]
_NONE = Dependant()
"""Parameters of a response that no route has made."""
PHONE_LENDING = "/borrow"
"""Page in the menu of patrons only while some library allows it."""
_HIDDEN = Markup('<input type="hidden" name="{}" value="{}">')


@dataclass
class PageContext:
    """Values that every template gets beside its own."""

    http: Request
    language: Language
    caller: Caller | None
    names: Mapping[str, str]
    """Names of the libraries by code, as this process last read them."""
    texts: Texts
    unknown: bool
    key: str
    """Idempotency-Key of a form to be sent again; empty: it gets a new one."""
    new_guest: str = ""

    @property
    def here(self) -> str:
        """The path of this page."""
        return self.http.url.path

    @property
    def whole_here(self) -> str:
        """The path of this page with its query, to come back to it."""
        query = self.http.url.query
        return f"{self.here}?{query}" if query else self.here

    @property
    def groups(self) -> list[tuple[str, str, bool]]:
        """Path, name and whether it has this page, of each group of a librarian's pages."""
        groups = self._groups
        current = group_of(self.here, groups)
        return [(menu[0][0], group, group == current) for group, menu in groups.items()]

    @property
    def _groups(self) -> Mapping[str, Menu]:
        if not self.at_desk:
            return {}
        return grouped([*self.texts.menus["staff"], *self.texts.menus["anyone"]])

    @property
    def pages(self) -> list[Menu]:
        """Links for this visitor: their own pages, and those open to everyone.

        Librarians get those of the group that has this page.
        """
        if groups := self._groups:
            return [groups.get(group_of(self.here, groups), ())]
        caller, texts = self.caller, self.texts
        own = texts.menu(caller.roles) if caller else ()
        if not self.http.app.state.phone_lending:
            own = [page for page in own if page[0] != PHONE_LENDING]
        if self.unknown:
            own = texts.menus["patron"][:1]
        return [pages for pages in (own, texts.menus["anyone"]) if pages]

    @property
    def shortcuts(self) -> Shortcuts:
        """Path, name and drawing of the pages in the bar of a phone; none for staff."""
        if self.unknown or (self.caller and "patron" in self.caller.roles):
            return words.SHORTCUTS
        return () if self.caller else words.GUEST_SHORTCUTS

    @property
    def at_desk(self) -> bool:
        """True if the visitor works at a desk: each page then has the scan box."""
        caller = self.caller
        return caller is not None and "desk" in caller.rights

    @property
    def keeps_scans(self) -> bool:
        """True if this desk can go on without a network: the system has a key for its scans."""
        return self.at_desk and bool(self.http.app.state.settings.offline_keys)

    @property
    def offline_files(self) -> dict[str, str]:
        """The addresses that a browser keeps for the time without a network (desk-queue.js)."""
        page = f"/desk/offline/page?lang={self.language.code}"
        kept = [address(name) for name in OFFLINE_FILES]
        return {
            "data-worker": address(DESK_WORKER),
            "data-page": page,
            "data-files": " ".join(kept),
            "data-list": "/desk/offline/list",
            "data-version": " ".join([self.place, page, *kept]),
        }

    @property
    def place(self) -> str:
        """The name of this desk's library, or its code; "" if none was chosen yet."""
        code = session.cookie(self.http, session.PLACE)
        return self.names.get(code, code)

    @property
    def languages(self) -> list[tuple[Language, str]]:
        """Each language with this page's address in it; `//other.example` would be another site.

        Only the parameters that the page has are repeated: others could be somebody's guesses.
        """
        http = self.http
        path = own_path(quote(http.url.path)) if http.method == "GET" else "/"
        route = http.scope.get("route")
        known = {one.alias for one in getattr(route, "dependant", _NONE).query_params}
        query = {name: text for name, text in http.query_params.items() if name in known}
        return [
            (language, f"{path}?{urlencode({**query, 'lang': code})}")
            for code, language in LANGUAGES.items()
        ]

    def fields(self, *, keyed: bool = False) -> Markup:
        """Return the hidden fields of a form; `keyed` adds an Idempotency-Key.

        If nobody knows whether the command was executed, the form to send again has the same key.
        """
        fields = _HIDDEN.format("form", self._form_token())
        key = self.key or new_id()
        return fields + _HIDDEN.format("key", key) if keyed else fields

    def _form_token(self) -> str:
        caller = self.caller
        # After a log-in the request has no cookie of the session yet.
        own = caller.session_id or caller.token if caller else ""
        binding = own or session.bound_to(self.http) or self.new_guest
        if not binding:
            binding = self.new_guest = session.new_guest()
        return session.form_token(self.http.app.state.settings.service_secret, binding)
