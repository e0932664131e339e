"""The audit of notifications: each patron to be notified of an event has exactly one."""

from collections import Counter, defaultdict

from ops.audit.findings import Audit
from ops.audit.recorded import Recorded
from shared.mongo import Database, Document

NOTIFIES_ONE_PATRON = (
    "loan.due-date-changed",
    "fine.assessed",
    "fine.adjusted",
    "fine.paid",
    "fine.waived",
    "hold.ready",
    "hold.expired",
    "registration.confirmed",
    "registration.cancelled",
    "admission.granted",
    "admission.standby",
    "admission.promoted",
    "alert.address-to-confirm",
    "alert.card-replaced",
    "alert.contact-changed",
    "alert.new-device",
    "alert.pin-changed",
    "pin.reset-requested",
    "pin.reset",
    "patron.came-of-age",
    "patron.invited",
    "patron.linked",
    "patron.unlinked",
)
"""Topics whose events give one patron one notification each; see `_is_notified`."""


async def check_notifications(result: Audit, store: Database, recorded: Recorded) -> None:
    """Check that each patron to be notified of an event has exactly one notification of it.

    One that was held back counts, also if it became untrue before it was told.
    """
    erased = {event["patron_id"] async for _, event in recorded.on("patron.erased")}
    notified: Counter[tuple[str, str]] = Counter()
    async for notification in store.notifications.find({}):
        result.counts["notifications"] += 1
        about = notification["about"]
        notified[notification["kind"], notification["patron_id"]] += 1
        result.expect(
            notification["patron_id"] not in erased,
            f"notification {notification['_id']} belongs to an erased patron",
        )
        if notification["kind"].startswith("loan."):
            result.expect(bool(about["loan_id"]), f"notification {notification['_id']} has no loan")
    # Held back by the delay of a branch, or no longer true when the delay was over.
    not_told = {"channel": "inbox", "state": {"$in": ["held", "dropped"]}}
    async for delivery in store.deliveries.find(not_told):
        notified[delivery["kind"], delivery["patron_id"]] += 1
        result.expect(
            delivery["patron_id"] not in erased,
            f"delivery {delivery['_id']} belongs to an erased patron",
        )
    wanted: dict[str, Counter[str]] = defaultdict(Counter)
    async for topic, event in recorded.on(*NOTIFIES_ONE_PATRON):
        if event["patron_id"] not in erased and _is_notified(topic, event):
            wanted[topic][event["patron_id"]] += 1
    for topic in NOTIFIES_ONE_PATRON:
        notified_of = {patron for kind, patron in notified if kind == topic}
        for patron in notified_of | wanted[topic].keys():
            found, true = notified[topic, patron], wanted[topic][patron]
            result.expect(
                found >= true if result.aged else found == true,
                f"patron {patron} has {found} notifications of {topic} instead of {true}",
                lost=max(true - found, 0),
                doubled=max(found - true, 0),
            )


def _is_notified(topic: str, event: Document) -> bool:
    """Return whether an event needs a notification.

    A change by the patron needs none, nor one of a charge that another event notifies of.
    """
    match topic:
        case "fine.assessed" | "fine.adjusted" | "fine.paid":
            return not event.get("notified_with")
        case "registration.confirmed":
            return bool(event["waited"])
        case "registration.cancelled":
            return bool(event["by"] == "activity")
        case "patron.unlinked":
            return bool(event["by"] != "patron")
    return True
