"""A small library: its branches, and what notices has told and published."""

from datetime import date
from typing import Any, Literal

import orjson

from services.notices.consumers import hears
from shared.clock import parse_instant
from shared.contracts import Event
from shared.contracts.accounts import PatronErased, PatronRegistered, PreferencesChanged
from shared.contracts.circulation import (
    HoldSnapshot,
    LoanDueDateChanged,
    LoanDueSoon,
    LoanOverdue,
    TitleCatalogued,
)
from shared.contracts.events import (
    ActivityPublished,
    ActivityRescheduled,
    RecordingReleased,
    RegistrationCancelled,
    RegistrationConfirmed,
)
from shared.contracts.notices import BranchClosureChanged, BranchReopened, ClosureChange
from shared.unit_of_work import Origin, Run
from tests.support import Answer, Api, token

STAFF = token("staff-1", ["staff"])
WEEK = [{"weekday": day, "opens": "09:00", "closes": "20:00"} for day in range(6)]
BRANCHES = {
    "HKCL": ("Hong Kong Central Library", "central"),
    "STPL": ("Sha Tin Public Library", "major"),
    "TPO": ("Tai Po Public Library", "district"),
    "LFU": ("Lung Fung Public Library", "small"),
    "ML1": ("Mobile Library 1", "mobile"),
}
NOVEMBER = "2020-11-01T10:00:00+08:00"


def patron(sub: str) -> str:
    return token(sub, ["patron"])


async def register(api: Api, *codes: str) -> None:
    for code in codes or BRANCHES:
        name, kind = BRANCHES[code]
        body = {"code": code, "name": name, "kind": kind, "hours": WEEK}
        answer = await api.post("/v1/branches", body, as_=STAFF, at=NOVEMBER)
        assert answer.status == 201, answer.body


async def close(api: Api, at: str, **body: Any) -> Answer:
    body = {"reason": "Prevention of COVID-19", **body}
    return await api.post("/v1/closures", body, as_=STAFF, at=at)


async def reopening(api: Api, closure_id: str, at: str, **body: Any) -> Answer:
    return await api.post(f"/v1/closures/{closure_id}/reopening", body, as_=STAFF, at=at)


async def events(api: Api, *topics: str) -> list[dict[str, Any]]:
    """The payloads of some topics in the outbox, oldest first, with their topic."""
    rows = api.app.state.database.outbox.find({"topic": {"$in": list(topics)}}).sort("$natural", 1)
    return [{"topic": row["topic"], **orjson.loads(row["body"])} async for row in rows]


async def hear(api: Api, event: Event, event_id: str, at: str) -> None:
    """Deliver one event to the handler that hears it, as the listener does."""
    _, handler = hears.handlers[event.topic]
    origin = Origin(now=parse_instant(at), causation_id=event_id)
    await handler(event, Run(api.app.state.unit_of_work, origin, inbox=event_id, within=30.0))


async def inbox(api: Api, patron_id: str) -> list[dict[str, Any]]:
    answer = await api.get("/v1/me/inbox?limit=200", as_=patron(patron_id))
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def registered(patron_id: str, version: int = 1, language: str = "en") -> PatronRegistered:
    return PatronRegistered(
        version=version,
        patron_id=patron_id,
        category="adult",
        home_branch="HKCL",
        language=language,
        status="active",
        card_digest="0",
    )


def erased(patron_id: str, version: int = 9) -> PatronErased:
    snapshot = registered(patron_id, version).model_dump()
    return PatronErased.model_validate({**snapshot, "status": "erased", "card_digest": ""})


def prefers(
    patron_id: str,
    version: int,
    branches: tuple[str, ...] = (),
    types: tuple[str, ...] = (),
    language: str = "en",
) -> PreferencesChanged:
    return PreferencesChanged(
        version=version,
        patron_id=patron_id,
        followed_branches=branches,
        activity_types=types,
        language=language,
        channels=("inbox",),
        keep_history=False,
    )


def title(version: int = 1, name: str = "Jane Eyre") -> TitleCatalogued:
    return TitleCatalogued(
        version=version,
        title_id="title-1",
        title=name,
        authors=("Charlotte Brontë",),
        isbn=None,
        kind="book",
        copies=(),
    )


LOAN: dict[str, Any] = {
    "version": 1,
    "title_id": "title-1",
    "copy_id": "copy-1",
    "barcode": "B1",
    "category": "adult",
    "branch": "HKCL",
    "branch_kind": "central",
    "borrowed_on": date(2020, 11, 20),
    "due_on": date(2020, 12, 4),
    "renewals": 0,
    "renewals_left": 5,
    "state": "open",
}


def overdue(loan_id: str, patron_id: str) -> LoanOverdue:
    return LoanOverdue.model_validate(
        {**LOAN, "loan_id": loan_id, "patron_id": patron_id, "overdue_on": date(2020, 12, 9)}
    )


def due_soon(loan_id: str, patron_id: str) -> LoanDueSoon:
    return LoanDueSoon.model_validate(
        {**LOAN, "loan_id": loan_id, "patron_id": patron_id, "noticed_on": date(2020, 12, 2)}
    )


def moved(loan_id: str, patron_id: str) -> LoanDueDateChanged:
    change = {"due_on": date(2021, 2, 19), "previous_due_on": date(2020, 12, 4), "cause": "c"}
    return LoanDueDateChanged.model_validate(
        {**LOAN, "loan_id": loan_id, "patron_id": patron_id, **change}
    )


def changed(branch: str, change: ClosureChange, version: int = 4) -> BranchClosureChanged:
    """A closure of a branch that is another now."""
    return BranchClosureChanged(
        version=version,
        branch=branch,
        name=branch,
        kind="central",
        hours=(),
        closure_id="c-1",
        change=change,
    )


def reopened(branch: str, version: int = 3) -> BranchReopened:
    name, kind = BRANCHES[branch]
    return BranchReopened(
        version=version,
        branch=branch,
        name=name,
        kind=kind,
        hours=(),
        closure_id="c",
        reopened_on=date(2021, 2, 19),
    )


def released(activity_id: str, type_: str = "talk", version: int = 2) -> RecordingReleased:
    return RecordingReleased(
        version=version,
        activity_id=activity_id,
        title="Factory In and Out",
        type=type_,
        venue="Online",
        branch=None,
        starts_at=parse_instant("2020-11-20T19:00:00+08:00"),
        organiser="Hong Kong Public Libraries",
    )


def announced(activity_id: str, title: str, version: int = 1) -> ActivityPublished:
    fields = released(activity_id).model_dump()
    return ActivityPublished.model_validate({**fields, "title": title, "version": version})


def rescheduled(activity_id: str, version: int = 2) -> ActivityRescheduled:
    fields = released(activity_id).model_dump()
    moved_to = {"starts_at": "2020-11-27T14:30:00+08:00", "venue": "Hall", "version": version}
    return ActivityRescheduled.model_validate({**fields, **moved_to})


REGISTRATION: dict[str, Any] = {
    "registration_id": "registration-1",
    "turn": 3,
    "registered_at": parse_instant("2020-11-02T10:00:00+08:00"),
}


def confirmed(activity_id: str, patron_id: str, *, waited: bool) -> RegistrationConfirmed:
    return RegistrationConfirmed(
        **REGISTRATION,
        version=2 if waited else 1,
        activity_id=activity_id,
        patron_id=patron_id,
        state="confirmed",
        waited=waited,
    )


def called_off(
    activity_id: str, patron_id: str, by: Literal["patron", "activity", "erased"] = "activity"
) -> RegistrationCancelled:
    return RegistrationCancelled(
        **REGISTRATION,
        version=3,
        activity_id=activity_id,
        patron_id=patron_id,
        state="cancelled",
        by=by,
    )


def hold(kind: type[HoldSnapshot], version: int, **more: Any) -> HoldSnapshot:
    """A hold of patron p on title-1, to be collected at TPO."""
    fields = {
        "hold_id": "hold-1",
        "patron_id": "p",
        "title_id": "title-1",
        "pickup_branch": "TPO",
        "state": "waiting",
        "place": 1,
        "placed_at": parse_instant("2021-02-20T10:00:00+08:00"),
        "expires_on": None,
        "frozen": False,
        "frozen_until": None,
        "copy_id": None,
        "ready_on": None,
        "shelf_until": None,
    }
    return kind.model_validate({**fields, "version": version, **more})
