"""The audit of account views: each shows what the owning services have stored.

From the gateway's code it uses only the name of the document that is no account.
"""

from collections import defaultdict
from collections.abc import AsyncIterator

from ops.audit.findings import Audit
from ops.audit.holds import OPEN_HOLDS
from services.gateway.views.store.schema import WHOLE
from shared.mongo import Database, Document


async def check_views(result: Audit, stores: dict[str, Database]) -> None:
    """Check that each account view shows what the owning services have."""
    views = {
        view["_id"]: view
        async for view in stores["gateway"].account_views.find({"_id": {"$ne": WHOLE}})
    }
    result.counts["account views"] = len(views)
    loans = await _by_patron(stores["circulation"].loans.find({"state": "open"}))
    charges = await _by_patron(
        stores["circulation"].charges.find(
            {"$or": [{"outstanding_cents": {"$gt": 0}}, {"refund_due_cents": {"$gt": 0}}]}
        )
    )
    holds = await _by_patron(stores["circulation"].holds.find({"state": {"$in": OPEN_HOLDS}}))
    unread = await _by_patron(
        stores["notices"].notifications.find({"read": False, "withdrawn": False})
    )
    of_patrons = {"state": {"$ne": "closed"}, "patron_id": {"$ne": None}}
    asked = await _by_patron(stores["notices"].enquiries.find(of_patrons))
    registered = await _by_patron(stores["events"].registrations.find({}))
    admitted = await _by_patron(stores["events"].study_applications.find({}))
    held = {"state": "held", "promoted": True}
    seated = await _by_patron(stores["events"].study_seats.find(held))
    booked = await _by_patron(stores["events"].study_bookings.find({"state": "booked"}))
    linked = await _by_patron(stores["accounts"].links.find({}))
    of_activities = {*registered, *admitted, *seated, *booked}
    for patron in {*views, *loans, *holds, *charges, *unread, *asked, *linked, *of_activities}:
        view = views.get(patron, {})
        shown = {(key, loan["version"], loan["due_on"]) for key, loan in _not_ended(view, "loans")}
        true = {(loan["_id"], loan["version"], loan["due_on"]) for loan in loans[patron]}
        result.expect(shown == true, f"patron {patron} is shown other loans: {shown ^ true}")
        awaited = {(key, hold["version"], hold["state"]) for key, hold in _not_ended(view, "holds")}
        truly_awaited = {(hold["_id"], hold["version"], hold["state"]) for hold in holds[patron]}
        result.expect(
            awaited == truly_awaited,
            f"patron {patron} is shown other holds: {awaited ^ truly_awaited}",
        )
        owed = {
            (key, charge["outstanding_cents"], charge.get("refund_due_cents", 0))
            for key, charge in _not_ended(view, "charges")
        }
        truly = {
            (charge["_id"], charge["outstanding_cents"], charge["refund_due_cents"])
            for charge in charges[patron]
        }
        result.expect(owed == truly, f"patron {patron} is shown other charges: {owed ^ truly}")
        joined = {
            (key, one["version"], one["state"])
            for key, one in view.get("registrations", {}).items()
            if one["state"] != "cancelled"
        }
        truly_joined = {(one["_id"], one["version"], one["state"]) for one in registered[patron]}
        result.expect(
            joined == truly_joined,
            f"patron {patron} is shown other registrations: {joined ^ truly_joined}",
        )
        let_in = {
            (key, one["version"], one["state"]) for key, one in _not_ended(view, "admissions")
        }
        truly_let_in = {(one["_id"], one["version"], one["state"]) for one in admitted[patron]}
        result.expect(
            let_in == truly_let_in,
            f"patron {patron} is shown other applications: {let_in ^ truly_let_in}",
        )
        seats = {(key, one["version"]) for key, one in _not_ended(view, "seats")}
        truly_seated = {(one["_id"], one["version"]) for one in seated[patron]}
        result.expect(
            seats == truly_seated,
            f"patron {patron} is shown other places in study rooms: {seats ^ truly_seated}",
        )
        sessions = {(key, one["version"]) for key, one in _not_ended(view, "bookings")}
        truly_booked = {(one["_id"], one["version"]) for one in booked[patron]}
        result.expect(
            sessions == truly_booked,
            f"patron {patron} is shown other bookings: {sessions ^ truly_booked}",
        )
        family = {(key, one["version"]) for key, one in _not_ended(view, "family")}
        truly_linked = {(one["_id"], one["version"]) for one in linked[patron]}
        result.expect(
            family == truly_linked,
            f"patron {patron} is shown other linked cards: {family ^ truly_linked}",
        )
        open_ones = {
            (key, one["version"], one["state"]) for key, one in _not_ended(view, "enquiries")
        }
        truly_open = {(one["_id"], one["version"], one["state"]) for one in asked[patron]}
        result.expect(
            open_ones == truly_open,
            f"patron {patron} is shown other questions: {open_ones ^ truly_open}",
        )
        shown_unread = {
            key for key, one in view.get("notifications", {}).items() if not one["read"]
        }
        inbox = {notification["_id"] for notification in unread[patron]}
        result.expect(
            shown_unread == inbox,
            f"patron {patron} is shown other notifications: {shown_unread ^ inbox}",
        )


def _not_ended(view: Document, kind: str) -> list[tuple[str, Document]]:
    """Return the items of a kind that the view has not marked as ended, with their ids."""
    return [(key, one) for key, one in view.get(kind, {}).items() if "ended" not in one]


async def _by_patron(documents: AsyncIterator[Document]) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = defaultdict(list)
    async for document in documents:
        found[document["patron_id"]].append(document)
    return found
