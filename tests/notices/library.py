"""A small library: its branches, and the events and notifications of notices."""

from collections import Counter
from datetime import date
from typing import Any, Literal

import orjson

from services.notices.messages.consumers import subscriptions
from shared.clock import parse_instant
from shared.contracts import Event
from shared.contracts.accounts import PatronErased, PatronRegistered, PreferencesChanged
from shared.contracts.calendars import ClosureOut
from shared.contracts.catalogue import TitleCatalogued
from shared.contracts.circulation import (
    ChargeSnapshot,
    HoldSnapshot,
    LoanDueDateChanged,
    LoanDueSoon,
    LoanLost,
    LoanOverdue,
    LoanRenewed,
)
from shared.contracts.events import (
    ActivityRescheduled,
    RecordingReleased,
    RegistrationCancelled,
    RegistrationConfirmed,
)
from shared.contracts.notices import (
    BranchClosed,
    BranchClosureChanged,
    BranchReopened,
    ClosureChange,
)
from shared.contracts.suspensions import FinesResumed, FinesSuspended
from shared.unit_of_work import Origin, Run
from tests import samples
from tests.support import Answer, Api, token

STAFF = token("staff-1", ["staff"])
WEEK = [{"weekday": day, "opens": "09:00", "closes": "20:00"} for day in range(1, 7)]
TOLD_WEEK = [{**hours, "weekday": day} for day, hours in enumerate(WEEK)]
"""The same hours as events carry them: `weekday` counts from 0 there."""
BRANCHES = {
    "HKCL": ("Hong Kong Central Library", "central"),
    "STPL": ("Sha Tin Public Library", "major"),
    "TPO": ("Tai Po Public Library", "district"),
    "LFU": ("Lung Fung Public Library", "small"),
    "ML1": ("Mobile Library 1", "mobile"),
}
NOVEMBER = "2020-11-01T10:00:00+08:00"
FEBRUARY_19 = date(2021, 2, 19)
DECEMBER_9 = "2020-12-09T08:00:00+08:00"
FEBRUARY_1 = "2021-02-01T10:00:00+08:00"
FEBRUARY_17 = "2021-02-17T16:00:00+08:00"
FEBRUARY_20 = "2021-02-20T10:00:00+08:00"
_CAUSE = {"kind": "policy", "id": "default", "version": 1, "reason": "the usual rate"}


def patron(sub: str) -> str:
    return token(sub, ["patron"])


async def register(api: Api, *codes: str) -> None:
    for code in codes or BRANCHES:
        name, kind = BRANCHES[code]
        body = {"code": code, "name": name, "kind": kind, "hours": WEEK}
        answer = await api.insist("POST", "/v1/branches", body, as_=STAFF, at=NOVEMBER)
        assert answer.status == 201, answer.body


async def close(api: Api, at: str, **body: Any) -> Answer:
    body = {"reason": "Prevention of COVID-19", **body}
    return await api.insist("POST", "/v1/closures", body, as_=STAFF, at=at)


async def record_closure(api: Api, at: str, **body: Any) -> dict[str, Any]:
    answer = await close(api, at, **body)
    assert answer.status == 201, answer.body
    state: dict[str, Any] = answer.json()
    return state


async def branch(api: Api, code: str, on: str) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"/v1/branches/{code}?on={on}")).json()
    return found


async def reopening(api: Api, closure_id: str, at: str, **body: Any) -> Answer:
    path = f"/v1/closures/{closure_id}/reopening"
    return await api.insist("POST", path, body, as_=STAFF, at=at)


async def events(api: Api, *topics: str) -> list[dict[str, Any]]:
    """Return the payloads of some topics in the outbox, oldest first, each with its topic."""
    rows = api.app.state.database.outbox.find({"topic": {"$in": list(topics)}}).sort("$natural", 1)
    return [{"topic": row["topic"], **orjson.loads(row["body"])} async for row in rows]


async def hear(api: Api, event: Event, event_id: str, at: str) -> None:
    """Deliver one event to its handler, as the listener does."""
    handler = subscriptions.by_topic[event.topic].handler
    origin = Origin(now=parse_instant(at), causation_id=event_id)
    await handler(event, Run(api.app.state.unit_of_work, origin, inbox=event_id, within=30.0))


async def inbox(api: Api, patron_id: str) -> list[dict[str, Any]]:
    answer = await api.insist("GET", "/v1/me/inbox?limit=200", as_=patron(patron_id))
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def texts(api: Api, patron_id: str) -> list[str]:
    return [item["text"] for item in await inbox(api, patron_id)]


def registered(patron_id: str, version: int = 1, language: str = "en") -> PatronRegistered:
    return samples.patron(PatronRegistered, version, patron_id=patron_id, language=language)


def erased(patron_id: str, version: int = 9) -> PatronErased:
    return samples.patron(
        PatronErased, version, patron_id=patron_id, status="erased", card_digest=""
    )


def prefers(
    patron_id: str,
    version: int,
    branches: tuple[str, ...] = (),
    types: tuple[str, ...] = (),
    *,
    language: str = "en",
    channels: tuple[str, ...] = ("inbox",),
    digest: bool = False,
) -> PreferencesChanged:
    return samples.preferences(
        version,
        patron_id=patron_id,
        followed_branches=branches,
        activity_types=types,
        language=language,
        channels=channels,
        digest=digest,
    )


def title(version: int = 1, name: str = "Jane Eyre") -> TitleCatalogued:
    return samples.title(version, name)


LENT = {"borrowed_on": date(2020, 11, 20), "due_on": date(2020, 12, 4)}


def overdue(loan_id: str, patron_id: str) -> LoanOverdue:
    when = {**LENT, "overdue_on": date(2020, 12, 9)}
    return samples.loan(LoanOverdue, 1, loan_id, patron_id=patron_id, **when)


def due_soon(loan_id: str, patron_id: str) -> LoanDueSoon:
    when = {**LENT, "noticed_on": date(2020, 12, 2)}
    return samples.loan(LoanDueSoon, 1, loan_id, patron_id=patron_id, **when)


def renewed(loan_id: str, patron_id: str, *, automatic: bool) -> LoanRenewed:
    facts = {"previous_due_on": date(2020, 12, 4), "reference": "RN-4F7K-Q2MD"}
    return samples.loan(
        LoanRenewed, 2, loan_id, patron_id=patron_id, **LENT, **facts, automatic=automatic
    )


def moved(loan_id: str, patron_id: str) -> LoanDueDateChanged:
    change = {**LENT, "due_on": date(2021, 2, 19), "previous_due_on": date(2020, 12, 4)}
    return samples.loan(LoanDueDateChanged, 1, loan_id, patron_id=patron_id, **change)


def closure(
    *announced: tuple[int, date | None], closure_id: str = "c-1", first: date = date(2020, 12, 10)
) -> ClosureOut:
    """A closure of a branch with its announced ends, each with its branch version."""
    return samples.closure(closure_id, first, *announced, reason="closed")


def changed(branch: str, change: ClosureChange, version: int = 4) -> BranchClosureChanged:
    """A change of a branch's closure that was to end on 19 February."""
    end = None if change == "reopening-taken-back" else FEBRUARY_19
    closures = (closure((1, None), (2, FEBRUARY_19), (version, end)),)
    facts = {"name": branch, "closures": closures, "closure_id": "c-1", "change": change}
    return samples.branch(BranchClosureChanged, version, branch, **facts)


def closed(branch: str, version: int = 4) -> BranchClosed:
    """A second closure without an announced end; the first was to end on 19 February."""
    name, kind = BRANCHES[branch]
    closures = (
        closure((1, None), (2, FEBRUARY_19)),
        closure((version, None), closure_id="c-2", first=date(2021, 2, 18)),
    )
    facts = {"name": name, "kind": kind, "closures": closures, "closure_id": "c-2"}
    return samples.branch(BranchClosed, version, branch, **facts)


def reopened(branch: str, version: int = 3, **more: Any) -> BranchReopened:
    """A reopening on 19 February."""
    name, kind = BRANCHES[branch]
    return samples.branch(BranchReopened, version, branch, name=name, kind=kind, **more)


TALK: dict[str, Any] = {
    "title": "Factory In and Out",
    "starts_at": "2020-11-20T19:00:00+08:00",
    "organiser": "Hong Kong Public Libraries",
}


def released(activity_id: str, type_: str = "talk", version: int = 2) -> Event:
    return samples.activity(activity_id, version, kind=RecordingReleased, type=type_, **TALK)


def announced(activity_id: str, title: str, version: int = 1) -> Event:
    return samples.activity(activity_id, version, **{**TALK, "title": title})


def rescheduled(activity_id: str, version: int = 2) -> Event:
    moved_to = {**TALK, "starts_at": "2020-11-27T14:30:00+08:00", "venue": "Hall"}
    return samples.activity(activity_id, version, kind=ActivityRescheduled, **moved_to)


def confirmed(activity_id: str, patron_id: str, *, waited: bool) -> RegistrationConfirmed:
    fields: dict[str, Any] = {
        "activity_id": activity_id,
        "patron_id": patron_id,
        "waited": waited,
    }
    return samples.registration(RegistrationConfirmed, 2 if waited else 1, turn=3, **fields)


def called_off(
    activity_id: str, patron_id: str, by: Literal["patron", "activity", "erased"] = "activity"
) -> RegistrationCancelled:
    fields: dict[str, Any] = {"activity_id": activity_id, "patron_id": patron_id, "by": by}
    return samples.registration(RegistrationCancelled, 3, turn=3, state="cancelled", **fields)


def hold(kind: type[HoldSnapshot], version: int, **more: Any) -> HoldSnapshot:
    """A hold of patron p on title-1, to be collected at TPO."""
    fields = {"patron_id": "p", "pickup_branch": "TPO", "expires_on": None, **more}
    return samples.hold(kind, version, **fields)


def suspended(suspension_id: str = "s-1", version: int = 1, **more: Any) -> FinesSuspended:
    fields = {"suspension_id": suspension_id, "starts_on": date(2020, 12, 10), **more}
    return samples.suspension(FinesSuspended, version, **fields)


def resumed(suspension_id: str = "s-1", version: int = 3, **more: Any) -> FinesResumed:
    fields = {"starts_on": date(2020, 12, 10), "resumes_on": date(2021, 3, 5), **more}
    return samples.suspension(FinesResumed, version, suspension_id=suspension_id, **fields)


def fine(charge_id: str, patron_id: str, last: str = "charged", **more: Any) -> Event:
    span = {"from": "2020-12-05", "to": "2020-12-09", "days": 5, "amount_cents": 750}
    fields = {
        "assessed_on": date(2020, 12, 9),
        "due_on": date(2020, 12, 4),
        "charged_days": 5,
        "spans": [{**span, "disposition": last, "cause": _CAUSE}],
        **more,
    }
    return samples.fine(1, charge_id, 750, patron_id=patron_id, **fields)


def charge(kind: type[ChargeSnapshot], patron_id: str, **more: Any) -> ChargeSnapshot:
    """A charge after a change."""
    fields = {
        "charge_id": "charge-1",
        "patron_id": patron_id,
        "amount_cents": 750,
        "outstanding_cents": 0,
        "assessed_on": date(2020, 12, 9),
        "lowered_cents": 300,
        "paid_cents": 750,
        "waived_cents": 200,
        **more,
    }
    return samples.charge(kind, 2, **fields)


def lost(loan_id: str, patron_id: str) -> LoanLost:
    snapshot = overdue(loan_id, patron_id).model_dump()
    facts = {"state": "lost", "lost_on": date(2020, 12, 9), "declared_by": "patron"}
    return LoanLost.model_validate({**snapshot, "version": 3, **facts})


def assert_one_of(answers: list[Answer]) -> None:
    """Check that one call succeeded; others were refused, or got a 503 on a slow machine."""
    statuses = Counter(answer.status for answer in answers)
    assert statuses[201] == 1
    assert set(statuses) <= {201, 409, 503}
