"""A steady load on a running library, with a record of each attempt.

Patrons borrow, renew and return; new ones register and return a copy late; a branch closes and
reopens; activities are published. Each command has a key and is retried with it until it
succeeds, so a test can break something meanwhile and then check the answers that callers got.
"""

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

import aiohttp

from ops.audit.findings import Audit
from ops.audit.system import audit
from services.settings import Settings
from tests import patience
from tests.library import PIN, WEEK, Library, unique

ANSWER_SECONDS = 2.0
"""Seconds within which the gateway is to answer, if only with a 503.

A busy machine makes any answer late, so the fault matrix counts the late ones.
"""
HUNG_SECONDS = 15.0
"""Seconds after which no deadline of the gateway can have ended an attempt: it hung."""
RETRY_SECONDS = 0.1
NOT_YET = {
    "unknown-branch": "circulation has yet to hear of it",
}
"""Expected refusals, each with the reason why a later attempt succeeds."""
KINDS = {
    "accounts": ("registration", "log-in", "preferences"),
    "circulation": ("check-out", "renewal", "return"),
    "events": ("activity",),
    "notices": ("branch", "closure", "reopening"),
    "gateway": ("overview",),
}
"""Kinds of commands for each service."""
UNANSWERED = 0
"""Status of an attempt without an answer."""

LENDING = 4
"""Number of patrons who borrow and return."""
CLOSURES = 20
"""Closures of one branch before the next branch is used."""
LENDERS_SHARE, NEWCOMERS_SHARE, CLOSURES_SHARE, ACTIVITIES_SHARE = 0.15, 0.2, 0.1, 0.1
"""Share of the commands in each lane; LENDING lanes have the first share."""


@dataclass(frozen=True)
class Attempt:
    """One request to the gateway."""

    kind: str
    """One of KINDS."""
    key: str
    """Idempotency key, the same for all attempts of one command."""
    began: float
    """Start, from time.monotonic()."""
    seconds: float
    """Seconds until it was answered or given up."""
    status: int
    """HTTP status, or UNANSWERED."""

    @property
    def ended(self) -> float:
        """End, from time.monotonic()."""
        return self.began + self.seconds

    @property
    def succeeded(self) -> bool:
        """True if the attempt completed its command."""
        return UNANSWERED < self.status < 400


@dataclass
class Acknowledged:
    """Acknowledged results, which must not be lost."""

    loans: dict[str, dict[str, tuple[str, int]]] = field(default_factory=lambda: defaultdict(dict))
    """For each patron: state and number of renewals of each loan."""
    paths: list[str] = field(default_factory=list)
    """Paths at which staff can read the created resources."""

    def loan(self, loan: dict[str, Any]) -> None:
        """Record a loan from an answer."""
        self.loans[loan["patron_id"]][loan["id"]] = (loan["state"], loan["renewals"])


class Load:
    """Sends commands at a steady rate while the block runs; then waits for those in progress.

    `rate` is commands per second without faults. A lane whose service is away waits for it while
    the others keep their own pace, so the load is bounded during any fault.
    """

    def __init__(self, library: Library, *, rate: float = 20.0) -> None:
        self.library = library
        self.attempts: list[Attempt] = []
        self._rate = rate
        self._acknowledged = Acknowledged()
        self._ending = asyncio.Event()
        self._lanes: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        library = self.library
        self._first = date.fromisoformat(library.now[:10])
        branches = [await library.branch() for _ in range(3)]
        await library.flow.settle(within=60)  # circulation lends only at branches that it knows
        patrons = [await library.patron(branches[i % 2]) for i in range(LENDING + 1)]
        books = await library.copies(branches[0], LENDING + 2)
        lanes = [
            *(
                (LENDERS_SHARE, self._lend(patrons[i], books[i], branches[i % 2]))
                for i in range(LENDING)
            ),
            (NEWCOMERS_SHARE, self._admit(books[-1], branches[1])),
            (CLOSURES_SHARE, self._close(patrons[-1], books[-2], branches[2])),
            (ACTIVITIES_SHARE, self._publish()),
        ]
        self._lanes = [
            asyncio.create_task(self._keep_pace(commands, share)) for share, commands in lanes
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        _, late = await asyncio.wait(self._lanes, timeout=patience.stretched(90))
        for lane in late:
            lane.cancel()
        ends = await asyncio.gather(*self._lanes, return_exceptions=True)
        if error is None:
            assert not late, f"{len(late)} commands never succeeded: {self.attempts[-1]}"
            for end in ends:
                if isinstance(end, BaseException):
                    raise end

    # ---- queries of tests -----------------------------------------------------------------------

    def succeeded(self, since: float = 0.0, kind: str = "") -> int:
        """Return how many commands succeeded since a time.monotonic(), of one kind or of all."""
        return sum(1 for _ in self._successes(since, kind))

    def longest_gap(self, since: float, kind: str = "", *, until: float | None = None) -> float:
        """Return the longest time without a success, in seconds, from `since` to `until` or now."""
        end = time.monotonic() if until is None else until
        moments = sorted(a.ended for a in self._successes(since, kind) if a.ended < end)
        return max(
            later - earlier for earlier, later in pairwise([since, *moments, max(end, since)])
        )

    def first_success(self, since: float, *kinds: str) -> float | None:
        """Return the seconds from `since` to the first success, of some kinds or of any.

        Only attempts begun after `since` count.
        """
        return min(
            (
                attempt.ended - since
                for attempt in self._successes(since, "")
                if attempt.began >= since and (not kinds or attempt.kind in kinds)
            ),
            default=None,
        )

    def slowest(self, since: float = 0.0) -> Attempt:
        """Return the slowest answered attempt that began after `since`."""
        return max(
            (a for a in self.attempts if a.began >= since and a.status != UNANSWERED),
            key=lambda attempt: attempt.seconds,
        )

    def statuses(self, since: float = 0.0) -> dict[int, int]:
        """Return the number of attempts begun after `since`, by status."""
        counts: dict[int, int] = defaultdict(int)
        for attempt in self.attempts:
            if attempt.began >= since:
                counts[attempt.status] += 1
        return dict(counts)

    def check_answers(self, *, gateway_away: Sequence[tuple[float, float]] = ()) -> None:
        """Check the invariant of every fault: each attempt succeeds or gets a 503; none hangs.

        Attempts may hang or be unanswered only in the spans in which the gateway itself is broken;
        `gateway_away` has their starts and ends from time.monotonic().
        """
        for attempt in self.attempts:
            if any(attempt.began < end and attempt.ended > start for start, end in gateway_away):
                continue
            assert attempt.status != UNANSWERED, f"not answered: {attempt}"
            assert attempt.status < 400 or attempt.status == 503, attempt
            assert attempt.seconds <= HUNG_SECONDS, f"hung: {attempt}"

    async def audited(self, within: float = 60.0) -> Audit:
        """Run `carrel audit` after the block, and check that all acknowledged results are stored.

        The audit compares stored data; this also finds acknowledged results that are no longer
        stored, and commands that were carried out twice.
        """
        await self.library.flow.settle(within)
        found = await audit(self.library.system.settings(Settings))
        found.counts["commands"] = self.succeeded()
        found.counts["late answers"] = sum(one.seconds > ANSWER_SECONDS for one in self.attempts)
        for patron, acknowledged in self._acknowledged.loans.items():
            stored = {
                loan["id"]: (loan["state"], loan["renewals"])
                async for loan in self._loans_of(patron)
            }
            for loan in acknowledged.keys() | stored.keys():
                is_, was = stored.get(loan), acknowledged.get(loan)
                found.expect(is_ is not None, f"loan {loan} of {was} is not there", lost=1)
                found.expect(was is not None, f"loan {loan} was made once more", doubled=1)
                found.expect(None in (is_, was) or is_ == was, f"loan {loan} of {was} is {is_}")
        for path in self._acknowledged.paths:
            status, _ = await self.library.try_("GET", path, by="staff")
            found.expect(status == 200, f"{path} was acknowledged and is not there", lost=1)
        return found

    def _successes(self, since: float, kind: str) -> Iterator[Attempt]:
        return (
            attempt
            for attempt in self.attempts
            if attempt.succeeded and attempt.ended >= since and kind in ("", attempt.kind)
        )

    async def _loans_of(self, patron: str) -> AsyncIterator[dict[str, Any]]:
        after = ""
        while after is not None:
            query = f"?patron={patron}&limit=200" + (f"&after={after}" if after else "")
            page = await self.library.get(f"/v1/loans{query}", by="staff")
            for loan in page["items"]:
                yield loan
            after = page["next"]

    # ---- lanes ----------------------------------------------------------------------------------

    async def _keep_pace(
        self, commands: AsyncIterator[Callable[[], Awaitable[object]]], share: float
    ) -> None:
        pause = 1 / (self._rate * share)
        turn = time.monotonic() + secrets.randbelow(1000) / 1000 * pause
        async for command in commands:
            turn = max(turn + pause, time.monotonic())  # missed turns are dropped
            try:
                async with asyncio.timeout(turn - time.monotonic()):
                    await self._ending.wait()
                return
            except TimeoutError:
                await command()

    async def _lend(self, card: str, barcode: str, branch: str) -> AsyncIterator[Any]:
        """Yield commands of a patron who borrows, renews the next day, reads and returns."""
        day = self._first
        loan: dict[str, Any] = {}

        async def check_out() -> None:
            loan.update(await self._check_out(card, barcode, branch, day))

        async def renew() -> None:
            path = f"/v1/loans/{loan['id']}/renewals"
            answer = await self._post("renewal", path, by=card, on=day)
            self._acknowledged.loan(answer["loan"])

        while True:
            yield check_out
            day += timedelta(days=1)  # on the day of its check-out a renewal gains nothing
            yield renew
            yield lambda: self._command("overview", "GET", "/v1/me", by=card)
            yield lambda day=day: self._take_back(barcode, branch, day)

    async def _admit(self, barcode: str, branch: str) -> AsyncIterator[Any]:
        """Yield commands of new patrons: each sets preferences, borrows, and returns late."""
        day = self._first
        while True:
            card = unique("C")
            account = {
                "card_number": card,
                "pin": PIN,
                "name": f"Patron {card}",
                "category": "adult",
                "home_branch": branch,
                "language": "en",
            }
            yield lambda body=account: self._register(body)
            yield lambda card=card: self._log_in(card)
            wishes = {"followed_branches": [branch], "activity_types": ["talk"]}
            yield lambda card=card, body=wishes: self._command(
                "preferences", "PATCH", "/v1/me/preferences", body, by=card
            )
            yield lambda card=card, day=day: self._check_out(card, barcode, branch, day)
            day += timedelta(days=20)  # six days late
            yield lambda day=day: self._take_back(barcode, branch, day)

    async def _close(self, card: str, barcode: str, branch: str) -> AsyncIterator[Any]:
        """Yield closures from the due date of a loan, each with a reopening two days later.

        One branch has CLOSURES in turn, since each of its events carries all its closures.
        """
        lent_on = self._first
        while True:
            yield lambda branch=branch: self._check_out(card, barcode, branch, lent_on)
            starts_on = lent_on + timedelta(days=14)
            for _ in range(CLOSURES):
                today, ends_on = starts_on - timedelta(days=1), starts_on + timedelta(days=2)
                closure: dict[str, Any] = {}
                body = {"branches": [branch], "from": str(starts_on), "reason": "Typhoon"}
                terms = {"reopened_on": str(ends_on), "services": ["lending"]}
                yield lambda closure=closure, body=body, today=today: self._announce(
                    closure, body, today
                )
                yield lambda closure=closure, terms=terms, today=today: self._post(
                    "reopening",
                    f"/v1/closures/{closure['id']}/reopening",
                    terms,
                    by="staff",
                    on=today,
                )
                starts_on = ends_on
            # Backdated: circulation may not know yet the closures that keep it from being overdue.
            yield lambda branch=branch: self._take_back(barcode, branch, lent_on)
            branch = unique("B")[:8]
            new = {"code": branch, "name": f"Library {branch}", "kind": "district", "hours": WEEK}
            yield lambda new=new: self._post("branch", "/v1/branches", new, by="staff")

    async def _announce(self, closure: dict[str, Any], body: dict[str, Any], on: date) -> None:
        closure |= await self._post("closure", "/v1/closures", body, by="staff", on=on)
        self._acknowledged.paths.append(f"/v1/closures/{closure['id']}")

    async def _publish(self) -> AsyncIterator[Any]:
        """Yield commands that publish activities."""
        talk = {
            "title": "A talk",
            "type": "talk",
            "venue": "Hall",
            "organiser": "The library",
            "starts_at": self.library.now,
        }

        async def publish() -> None:
            made = await self._post("activity", "/v1/activities", talk, by="staff")
            self._acknowledged.paths.append(f"/v1/activities/{made['id']}")

        while True:
            yield publish

    async def _check_out(self, card: str, barcode: str, branch: str, day: date) -> dict[str, Any]:
        body = {"card_number": card, "barcodes": [barcode], "branch": branch}
        answer = await self._post("check-out", "/v1/checkouts", body, by="staff", on=day)
        return self._only(answer)

    async def _take_back(self, barcode: str, branch: str, day: date) -> None:
        body = {"barcodes": [barcode], "branch": branch, "channel": "desk"}
        self._only(await self._post("return", "/v1/returns", body, by="staff", on=day))

    def _only(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the loan of an answer about one copy, and record it."""
        [result] = answer["results"]
        assert result["ok"], result
        loan: dict[str, Any] = result["loan"]
        self._acknowledged.loan(loan)
        return loan

    async def _register(self, account: dict[str, Any]) -> None:
        patron = await self._post("registration", "/v1/patrons", account, by="staff")
        self._acknowledged.paths.append(f"/v1/patrons/{patron['id']}")

    async def _log_in(self, card: str) -> None:
        session = await self._post("log-in", "/v1/sessions", {"card_number": card, "pin": PIN})
        self.library.tokens[card] = session["access_token"]

    async def _post(
        self, kind: str, path: str, body: Any = None, *, by: str = "", on: date | None = None
    ) -> Any:
        return await self._command(kind, "POST", path, body, by=by, on=on)

    async def _command(
        self,
        kind: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str = "",
        on: date | None = None,
    ) -> Any:
        """Send a command until it succeeds, and return the answer; `on` is the business day."""
        key = secrets.token_hex(8)
        at = f"{on or self._first}T10:00:00+08:00"
        while True:
            began = time.monotonic()
            try:
                status, answer = await self.library.try_(method, path, body, by=by, key=key, at=at)
            except (aiohttp.ClientError, TimeoutError) as error:
                status, answer = UNANSWERED, repr(error)
            seconds = time.monotonic() - began
            attempt = Attempt(kind, key, began, seconds, status)
            self.attempts.append(attempt)
            if attempt.succeeded:
                return answer
            if status == 404 and answer["code"] in NOT_YET:
                self.attempts.pop()
                status = 503
            assert status in (UNANSWERED, 503), f"{attempt}: {answer}"
            await asyncio.sleep(RETRY_SECONDS)
