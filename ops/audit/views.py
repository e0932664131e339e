"""The audit of account views: each shows what the owning services have stored.

From the gateway's code it uses only the name of the document that is no account.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ops.audit.circulation import OPEN_HOLDS
from ops.audit.findings import Audit
from services.gateway.views.store.schema import WHOLE
from shared.mongo import Database, Document


@dataclass(frozen=True)
class Part:
    """A part of each view: the documents of its owner that it shows, with the same fields."""

    name: str
    service: str
    collection: str
    where: Document
    fields: tuple[str, ...]
    is_over: Callable[[Document], bool] = lambda item: "ended" in item
    """True for an item that the view still has, but does not show."""
    words: str = ""
    """Name of the part in a finding, if it is another."""

    def of(self, key: str, item: Document) -> tuple[Any, ...]:
        """Return what must agree of an item."""
        return (key, *(item.get(name, 0) for name in self.fields))


_STATE = ("version", "state")
PARTS = (
    Part("loans", "circulation", "loans", {"state": "open"}, ("version", "due_on")),
    Part("holds", "circulation", "holds", {"state": {"$in": OPEN_HOLDS}}, _STATE),
    Part(
        "charges",
        "circulation",
        "charges",
        {"$or": [{"outstanding_cents": {"$gt": 0}}, {"refund_due_cents": {"$gt": 0}}]},
        ("outstanding_cents", "refund_due_cents"),
    ),
    Part(
        "registrations",
        "events",
        "registrations",
        {},
        _STATE,
        lambda one: one["state"] == "cancelled",
    ),
    Part("admissions", "events", "study_applications", {}, _STATE, words="applications"),
    Part(
        "seats",
        "events",
        "study_seats",
        {"state": "held", "promoted": True},
        ("version",),
        words="places in study rooms",
    ),
    Part("bookings", "events", "study_bookings", {"state": "booked"}, ("version",)),
    Part("family", "accounts", "links", {}, ("version",), words="linked cards"),
    Part(
        "enquiries",
        "notices",
        "enquiries",
        {"state": {"$ne": "closed"}, "patron_id": {"$ne": None}},
        _STATE,
        words="questions",
    ),
    Part(
        "notifications",
        "notices",
        "notifications",
        {"read": False, "withdrawn": False},
        (),
        lambda one: bool(one["read"]),
    ),
)


async def check_views(result: Audit, stores: dict[str, Database]) -> None:
    """Check that each account view shows what the owning services have."""
    views = {
        view["_id"]: view
        async for view in stores["gateway"].account_views.find({"_id": {"$ne": WHOLE}})
    }
    result.counts["account views"] = len(views)
    for part in PARTS:
        true: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
        async for one in stores[part.service][part.collection].find(part.where):
            true[one["patron_id"]].add(part.of(one["_id"], one))
        for patron in {*views, *true}:
            items = views.get(patron, {}).get(part.name, {})
            shown = {part.of(key, one) for key, one in items.items() if not part.is_over(one)}
            result.expect(
                shown == true[patron],
                f"patron {patron} is shown other {part.words or part.name}: {shown ^ true[patron]}",
            )
