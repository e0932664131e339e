"""A connection of a station, as the handlers of its messages see it."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from services.gateway.settings import Station
from services.gateway.sip2.api import Api
from services.gateway.sip2.messages import Answer, Request, instant_of, money
from services.gateway.web import site
from services.gateway.web.api import Reply
from services.gateway.web.languages import LANGUAGES, Language
from services.gateway.web.station_words import TRY_AGAIN
from shared.clock import wall_clock

CHINESE = frozenset({"019", "027"})
"""Languages of messages in which screens get Traditional Chinese (SIP2: Chinese, Taiwanese)."""


@dataclass
class Terminal:
    """The state of a connection."""

    api: Api
    name: str = ""
    """Name of the station's account; empty: it has not logged in."""
    station: Station = field(default_factory=Station)
    branch: str = ""
    """Code of the library where the station is."""
    language: str = ""
    """Language of the patron at the station, as its last message about one said."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the station's dates."""
        name = self.station.time_zone
        return ZoneInfo(name) if name else self.api.settings.zone

    @property
    def only_checks(self) -> bool:
        """Return whether the account may only ask about patrons."""
        account = self.api.account
        return account is not None and "station" not in account.roles

    @property
    def shows(self) -> tuple[str, ...]:
        """The parts of an account that the station gets with the right PIN."""
        usual = () if self.only_checks else ("name", "items", "amounts")
        shown = usual if self.station.shows is None else self.station.shows
        return tuple(one for one in shown if one != "contact" or not self.only_checks)

    @property
    def words(self) -> Language:
        """The language of the screen: English, or Chinese if its encoding has the characters."""
        chinese = self.language in CHINESE and self.station.encoding == "utf-8"
        return LANGUAGES["zh-Hant" if chinese else "en"]

    def reason(self, code: str, detail: str) -> str:
        """Return the reason of a refusal for the screen: the API's, or that of the pages."""
        text = site.TEXTS.problems.get(code, "")
        if self.words.code == "en" or not text or "%" in text:
            return detail or TRY_AGAIN
        return self.words.say(text)

    def time_of(self, request: Request) -> datetime:
        """Return the instant of a message; now, if it has none."""
        return instant_of(request.fixed.get("date", ""), self.zone) or wall_clock().astimezone(
            self.zone
        )

    def key(self, request: Request) -> str:
        """Return the Idempotency-Key of a message; empty without error detection.

        A repeated message has the same sequence number, date and fields, and so the same key.
        """
        if not request.sequence:
            return ""
        said = [self.name, request.code, request.sequence, request.fixed, request.fields]
        return f"sip2-{hashlib.sha256(repr(said).encode()).hexdigest()[:40]}"

    async def item(self, barcode: str) -> dict[str, Any] | None:
        """Return a copy with its title, due date and queue; None: there is none."""
        if not barcode:
            return None
        reply = await self.api.send("GET", f"/v1/copies/{quote(barcode, safe='')}/item")
        if reply.status in (404, 422):
            return None
        found: dict[str, Any] = reply.json()
        return found


def refusal(text: str, *fields: tuple[str, str | None]) -> Answer:
    """Return the answer to a request that is refused, with the reason for the screen."""
    return Answer({}, [*fields, ("AF", text)])


def fee(terminal: Terminal, cents: int) -> list[tuple[str, str | None]]:
    """Return the fields of a fine, to which a patron agrees by a repeated message with BO `Y`."""
    return [("BT", "04"), ("BV", money(cents)), ("BH", terminal.station.currency)]


def reason_of(terminal: Terminal, reply: Reply) -> str:
    """Return the reason of a refusal. Raises Failure if the system could not answer."""
    failure = reply.failure()
    if failure.status >= 500 or failure.status in (401, 429):
        raise failure
    return terminal.reason(failure.code, failure.detail)
