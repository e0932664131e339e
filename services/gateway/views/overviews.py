"""Build a patron's account overview from its view and circulation's accruing fines, and cache it.

Each change of a view replaces its stamp. The data that all accounts share has a stamp too. Before a
cached response is sent, only these stamps and the queue positions are read from the database. So an
answer is up to date at every replica, and an unchanged view is neither read nor serialized again.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from datetime import time as clock_time
from typing import Any, TypeVar

import orjson
import pymongo
from fastapi import FastAPI
from pymongo.errors import PyMongoError
from starlette.requests import Request
from starlette.responses import Response

from services.gateway.views import accruing
from services.gateway.views.open_items import is_linked, open_loans, open_registrations, waiting
from services.gateway.views.overview import member_account, overview
from services.gateway.views.store import reads, writes
from services.gateway.views.store.reads import Stamps
from shared.auth import Caller
from shared.clock import library_day
from shared.coalescer import Coalescer
from shared.deadlines import allowed
from shared.http.conditional import has_tag, tag_of
from shared.http.dependencies import STORE_SECONDS
from shared.mongo import Document
from shared.owners import OwnerAway

OVERVIEW = "/v1/me"
"""Path of the account overview."""
MOST_BYTES = 64 * 2**20
"""Maximum size of all cached bodies of a process, in bytes."""
MOST_AGE = 120.0
"""Seconds for which an account that was up to date is shown while this replica is too busy."""
PRIVATE = {"Cache-Control": "private, no-store", "Vary": "Authorization"}
"""Headers of a response that is private to one patron."""


@dataclass(frozen=True)
class Answer:
    """A cached response, and all that its validity depends on."""

    body: bytes
    name: str
    """Name of the patron, from their token."""
    live: Mapping[str, bool]
    day: date
    """Day in the library's time zone: the loans past their due date change at midnight."""
    stamps: Stamps
    waiting: Mapping[str, dict[str, Any]]
    """Waiting holds and registrations. Their positions change without a change of the view."""
    positions: Mapping[str, int]
    tag: str = field(init=False)
    """ETag of the answer."""

    def __post_init__(self) -> None:
        """Derive the ETag from the body's digest."""
        object.__setattr__(self, "tag", tag_of(self.body))

    def to(self, request: Request, age: float | None = None) -> Response:
        """Return the response to a request: a 304 if the caller already has this answer.

        `age` says how many seconds ago it was up to date; None: it is now.
        """
        headers = {**PRIVATE, "ETag": self.tag}
        if age is not None:
            headers["Age"] = str(round(age))
        if has_tag(request.headers.get("if-none-match", ""), self.tag):
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type="application/json")

    def may_hold(self, name: str, live: Mapping[str, bool], day: date) -> bool:
        """Return whether the response is valid, if stamps and positions are unchanged."""
        return self.name == name and self.live == live and self.day == day


class OverviewCache:
    """Cache of each patron's last response, limited to MOST_BYTES."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._read_at: dict[str, float] = {}

    def get(self, patron_id: str) -> Answer | None:
        """Return the patron's last response, if it is cached."""
        answer = self._kept.get(patron_id)
        if answer is not None:
            self._kept.move_to_end(patron_id)
        return answer

    def keep(self, patron_id: str, answer: Answer, read_at: float) -> None:
        """Cache a response in place of the last one; evict the least recently used to make room.

        `read_at` is the time at which the read of its data began.
        """
        self.drop(patron_id)
        self._kept[patron_id] = answer
        self._read_at[patron_id] = read_at
        self._bytes += len(answer.body)
        while self._bytes > self._most:
            self.drop(next(iter(self._kept)))

    def drop(self, patron_id: str) -> None:
        """Remove a patron's answer from the cache."""
        dropped = self._kept.pop(patron_id, None)
        if dropped is not None:
            self._bytes -= len(dropped.body)
            del self._read_at[patron_id]

    def confirm(self, patron_id: str, read_at: float) -> None:
        """Note that a cached response was found up to date by a read that began at this time."""
        if patron_id in self._kept:
            self._read_at[patron_id] = read_at

    def read_at(self, patron_id: str) -> float:
        """Return when the last read began that found the cached response up to date."""
        return self._read_at[patron_id]


T = TypeVar("T")

READ_SECONDS = 1.5
MOST_VIEWS = 20
"""Maximum number of views in one read: one with 2,000 loans has half a megabyte."""


@dataclass(frozen=True)
class Seen:
    """Data read from the database to show one account."""

    view: Document | None
    stamps: reads.Stamps
    common: reads.Common
    waiting: Mapping[str, Document]
    """Waiting holds and registrations, by id."""
    positions: Mapping[str, int]
    activities: Mapping[str, Document]
    """Known activities that the patron registered for, by id."""


class OverviewService:
    """Account overviews of this process.

    Methods raise OwnerAway if the views are not complete or their read takes too long.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._cache = OverviewCache()
        self._stamps: Coalescer[str, reads.Stamps] = Coalescer(self._read_stamps)
        self._views: Coalescer[str, reads.View] = Coalescer(self._read_views, most=MOST_VIEWS)
        self._common: tuple[object, reads.Common] | None = None
        self._writing: set[asyncio.Task[None]] = set()

    def last(self, caller: Caller, request: Request, now: datetime) -> Response | None:
        """Return the last known account without a look at the database, marked with its age.

        It serves a replica that is too busy. None if there is none of the last MOST_AGE seconds, or
        none that has the caller's own changes of this replica.
        """
        answer = self._cache.get(caller.id)
        if answer is None:
            return None
        read_at = self._cache.read_at(caller.id)
        age = time.monotonic() - read_at
        if age > MOST_AGE or self._app.state.own_writes.has_changed(caller.id, read_at):
            return None
        today = library_day(now, self._app.state.settings.zone)
        known = answer.name == caller.name and answer.day == today
        return answer.to(request, age) if known else None

    async def answer(self, caller: Caller, now: datetime) -> Answer:
        """Return the response to the caller's `GET /v1/me`, built again if no kept one is valid."""
        return await self._kept(caller, now) or await self._worked_out(caller, now)

    async def _kept(self, caller: Caller, now: datetime) -> Answer | None:
        """Return the last response to the caller if it is still valid, else None."""
        answer = self._cache.get(caller.id)
        if answer is None or self._app.state.own_writes.holds(caller.id):
            return None
        today = library_day(now, self._app.state.settings.zone)
        if answer.may_hold(caller.name, self._app.state.liveness.report(), today):
            try:
                read_at = time.monotonic()
                if await in_time(self._is_as_it_was(caller.id, answer)):
                    self._cache.confirm(caller.id, read_at)
                    return answer
            except PyMongoError:
                pass  # the full read follows, which the driver retries
        self._cache.drop(caller.id)
        return None

    async def look(self, caller: Caller, now: datetime) -> Document:
        """Build the account for stream subscribers from the last known accruing fines."""
        today = library_day(now, self._app.state.settings.zone)
        seen = await in_time(self._seen(caller.id))
        late = accruing.past_due(open_loans(seen.view), today)
        response = (seen.view or {}).get("accruing") if late else None
        return self._account(caller, today, seen, response, self._app.state.liveness.report())

    async def of_member(self, caller: Caller, member_id: str, now: datetime) -> Document | None:
        """Return the loans and holds of a patron whose card is linked with the caller's.

        None if they are not linked, by either of the two views.
        """
        return await in_time(self._of_member(caller, member_id, now))

    async def _of_member(self, caller: Caller, member_id: str, now: datetime) -> Document | None:
        own = await self._seen(caller.id)
        if not is_linked(own.view, member_id):
            return None
        seen = await self._seen(member_id)
        if not is_linked(seen.view, caller.id):
            return None
        return member_account(
            seen.view,
            patron_id=member_id,
            today=library_day(now, self._app.state.settings.zone),
            common=seen.common,
            positions=seen.positions,
            # As circulation last said when the patron looked: it is asked with their own token.
            accruing=accruing.last_known((seen.view or {}).get("accruing"), open_loans(seen.view)),
        )

    async def _is_as_it_was(self, patron_id: str, answer: Answer) -> bool:
        if await self._stamps.get(patron_id) != answer.stamps:
            return False
        return not answer.waiting or await self._positions(answer.waiting) == answer.positions

    async def _worked_out(self, caller: Caller, now: datetime) -> Answer:
        today = library_day(now, self._app.state.settings.zone)
        read_at = time.monotonic()
        seen = await in_time(self._seen(caller.id))
        live = self._app.state.liveness.report()
        late = accruing.past_due(open_loans(seen.view), today)
        response = (seen.view or {}).get("accruing") if late else None
        if late and not accruing.is_valid(response, late, seen.common, today):
            asked = await accruing.ask(self._app, caller.token, now)
            live["circulation"] = asked is not None
            response = self._noted(caller.id, now, seen.view, asked) if asked else response
        account = self._account(caller, today, seen, response, live)
        body = orjson.dumps(account)
        answer = Answer(body, caller.name, live, today, seen.stamps, seen.waiting, seen.positions)
        if not late or accruing.is_valid(response, late, seen.common, today):
            self._cache.keep(caller.id, answer, read_at)
        return answer

    def _account(
        self,
        caller: Caller,
        today: date,
        seen: Seen,
        response: Mapping[str, Any] | None,
        live: Mapping[str, bool],
    ) -> Document:
        return overview(
            seen.view,
            patron_id=caller.id,
            name=caller.name,
            midnight=datetime.combine(today, clock_time(), self._app.state.settings.zone),
            common=seen.common,
            activities=seen.activities,
            positions=seen.positions,
            accruing=accruing.last_known(response, open_loans(seen.view)),
            live=live,
        )

    async def _seen(self, patron_id: str) -> Seen:
        database = self._app.state.database
        with pymongo.timeout(allowed(STORE_SECONDS)):
            await self._app.state.own_writes.write_held_of(patron_id)
            view, stamps = await self._views.get(patron_id)
            if self._common is None or self._common[0] != stamps.common:
                # Read after the stamp, so the data is never older than the stamp says.
                self._common = (stamps.common, await reads.common(database))
            wanted = {one["activity_id"] for one in open_registrations(view).values()}
            return Seen(
                view,
                stamps,
                self._common[1],
                queued := waiting(view),
                await reads.positions(database, queued),
                await reads.some_activities(database, sorted(wanted)),
            )

    async def _positions(self, queued: Mapping[str, Document]) -> dict[str, int]:
        with pymongo.timeout(allowed(STORE_SECONDS)):
            return await reads.positions(self._app.state.database, queued)

    async def _read_stamps(self, patron_ids: Sequence[str]) -> Mapping[str, reads.Stamps]:
        with pymongo.timeout(allowed(STORE_SECONDS)):
            return await reads.stamps(self._app.state.database, patron_ids)

    async def _read_views(self, patron_ids: Sequence[str]) -> Mapping[str, reads.View]:
        with pymongo.timeout(allowed(STORE_SECONDS)):
            return await reads.account_views(self._app.state.database, patron_ids)

    def _noted(
        self, patron_id: str, now: datetime, view: Document | None, response: Document
    ) -> Document:
        """Return circulation's response for the open loans, and store it in the background."""
        loans = open_loans(view)
        items = [
            {**item, "due_on": loans[item["loan_id"]]["due_on"]}
            for item in response["items"]
            if item["loan_id"] in loans
        ]
        response = {**response, "items": items}
        before = (view or {}).get("accruing") or {}
        if response != {name: value for name, value in before.items() if name != "at"}:
            task = asyncio.create_task(self._keep(patron_id, now, response))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return response

    async def _keep(self, patron_id: str, now: datetime, response: Document) -> None:
        """Store circulation's response; after a failure the next call that gets one stores it."""
        with contextlib.suppress(PyMongoError):
            await writes.keep_accruing(self._app.state.database, patron_id, now, response)


async def in_time(read: Awaitable[T]) -> T:
    """Await a read of the gateway's own database; raise OwnerAway after READ_SECONDS.

    So the client has a 503 well before it gives up. Views that are not complete raise OwnerAway
    too: a missing charge would look like nothing owed.
    """
    try:
        async with asyncio.timeout(allowed(READ_SECONDS)):
            return await read
    except (TimeoutError, reads.NotWhole):
        raise OwnerAway("gateway") from None
