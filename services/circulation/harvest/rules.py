"""Requests of OAI-PMH 2.0: their arguments, dates and resumption tokens, and what is a deletion.

http://www.openarchives.org/OAI/openarchivesprotocol.html, version of 2015-01-08.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.circulation.rules.copy import Copy, CopyState

SETTLED_AFTER = timedelta(seconds=60)
"""Time after a change from which nothing older can appear.

A change has the time of its write, by the clock of its process: clocks differ by up to half a
minute, and its transaction commits seconds later.
"""
PREFIXES = ("oai_dc", "marcxml")
_LIST = (("metadataPrefix",), ("from", "until", "set"))
_ARGUMENTS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "Identify": ((), ()),
    "ListMetadataFormats": ((), ("identifier",)),
    "ListSets": ((), ()),
    "GetRecord": (("identifier", "metadataPrefix"), ()),
    "ListIdentifiers": _LIST,
    "ListRecords": _LIST,
}
"""Required and optional arguments of each verb."""
_RESUMED = ("ListIdentifiers", "ListRecords", "ListSets")


class Fault(Exception):
    """An error of the protocol, with its code."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Place:
    """The place of a title in the order of changes."""

    at: datetime
    title_id: str


@dataclass(frozen=True)
class Listing:
    """A list that a harvester asks for, or the rest of one."""

    prefix: str
    library: str | None = None
    """Code of the library whose titles are asked for."""
    since: datetime | None = None
    before: datetime | None = None
    after: Place | None = None
    count: int = 0
    """Records that were given before."""

    @property
    def token(self) -> str:
        """The resumption token of the list after `after`. It needs no memory of the server."""
        parts: list[object] = [self.prefix, self.library]
        parts += [one and one.timestamp() for one in (self.since, self.before)]
        if self.after:
            parts += [_milliseconds(self.after.at), self.after.title_id]
        text = json.dumps([*parts, self.count], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def arguments(given: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the arguments of a request by name. Raises Fault if they don't suit the verb."""
    asked = dict(given)
    verb = asked.get("verb", "")
    if verb not in _ARGUMENTS or [name for name, _ in given].count("verb") != 1:
        raise Fault("badVerb", "The verb is missing, unknown or repeated.")
    if len(asked) < len(given):
        raise Fault("badArgument", "An argument is repeated.")
    required, optional = _ARGUMENTS[verb]
    names = asked.keys() - {"verb"}
    if "resumptionToken" in names and verb in _RESUMED:
        if len(names) > 1:
            raise Fault("badArgument", "resumptionToken is given with other arguments.")
        return asked
    if missing := [name for name in required if name not in names]:
        raise Fault("badArgument", f"{missing[0]} is missing.")
    if unknown := sorted(names - {*required, *optional}):
        raise Fault("badArgument", f"{verb} has no argument {unknown[0][:40]}.")
    if asked.get("metadataPrefix", PREFIXES[0]) not in PREFIXES:
        raise Fault("cannotDisseminateFormat", f"The formats are {' and '.join(PREFIXES)}.")
    return asked


def listing(asked: Mapping[str, str]) -> Listing:
    """Return the list that is asked for. Raises Fault."""
    if "resumptionToken" in asked:
        return _resumed(asked["resumptionToken"])
    since, until = asked.get("from"), asked.get("until")
    if since and until and len(since) != len(until):
        raise Fault("badArgument", "from and until differ in their granularity.")
    begin = _moment(since) if since else None
    end = _moment(until) if until else None
    if begin and end and begin > end:
        raise Fault("badArgument", "from is later than until.")
    if end and until:
        end += timedelta(days=1) if len(until) == _DAY else timedelta(seconds=1)
    return Listing(asked["metadataPrefix"], asked.get("set"), begin, end)


_DAY = len("2021-03-05")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?", re.ASCII)


def _moment(text: str) -> datetime:
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError(text)
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        if not 1000 < moment.year < 9000:
            raise ValueError(text)
    except ValueError:
        raise Fault("badArgument", "A date is YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ.") from None
    return moment


def _resumed(token: str) -> Listing:
    try:
        padded = token + "=" * (-len(token) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        prefix, library, since, before, at, title_id, count = values
        if prefix not in PREFIXES or not isinstance(title_id, str):
            raise ValueError(token)
        return Listing(
            prefix,
            None if library is None else str(library),
            None if since is None else datetime.fromtimestamp(float(since), UTC),
            None if before is None else datetime.fromtimestamp(float(before), UTC),
            Place(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(at)), title_id),
            int(count),
        )
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise Fault("badResumptionToken", "This resumption token is not valid.") from None


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def datestamp(changed_at: datetime, now: datetime) -> datetime:
    """Return the date of a record for selective harvesting: when its change is settled, or now.

    A harvester that next asks from any date that it has seen gets all later changes, also those
    that were written before and committed after its harvest.
    """
    return min(changed_at + SETTLED_AFTER, now)


def changed_within(wanted: Listing) -> tuple[datetime | None, datetime | None]:
    """Return from when and before when the titles of a list were changed."""
    since, before = wanted.since, wanted.before
    return since and since - SETTLED_AFTER, before and before - SETTLED_AFTER


def libraries_of(copies: Sequence[Copy]) -> list[str]:
    """Return the codes of the libraries that have a copy that is not withdrawn."""
    return sorted({one.branch_code for one in copies if one.state is not CopyState.WITHDRAWN})


def is_deleted(copies: Sequence[Copy], library: str | None) -> bool:
    """Return whether all copies of a title are withdrawn, in all libraries or in one.

    Titles are never deleted otherwise. One without any copy, as it is on order, is not deleted.
    """
    own = [one for one in copies if library in (None, one.branch_code)]
    return bool(own) and all(one.state is CopyState.WITHDRAWN for one in own)
