"""The audit of notices: notifications, enquiries, and the data of visitors."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ops.audit.findings import Audit, Finding, Recorded
from ops.environment import load
from services.notices import sealing
from services.notices.settings import Settings as NoticesSettings
from services.notices.visits.rules import KEPT_DAYS, last_destroyed
from services.settings import Settings
from shared.clock import library_day, wall_clock
from shared.keys import each_of
from shared.mongo import Client, Database, Document

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
    "alert.passkey-changed",
    "alert.pin-changed",
    "pin.reset-requested",
    "pin.reset",
    "patron.came-of-age",
    "patron.card-expiring",
    "patron.card-renewed",
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


async def check_enquiries(result: Audit, store: Database) -> None:
    """Check that each message has its enquiry, and each file its content."""
    enquiries = {one["_id"]: one async for one in store.enquiries.find({})}
    result.counts["enquiries"] = len(enquiries)
    messages: Counter[str] = Counter()
    named: dict[str, str] = {}
    async for message in store.enquiry_messages.find({}, {"terms": 0, "text": 0}):
        enquiry_id = message["enquiry_id"]
        messages[enquiry_id] += 1
        result.expect(
            enquiry_id in enquiries, f"message {message['_id']} belongs to no enquiry", lost=1
        )
        named |= {file["id"]: enquiry_id for file in message.get("attachments", ())}
    for key, one in enquiries.items():
        counted = one["messages"] + one["notes"]
        result.expect(
            counted == messages[key],
            f"enquiry {key} counts {counted} messages, but has {messages[key]}",
            lost=max(counted - messages[key], 0),
        )
        into = enquiries.get(one.get("merged_into"))
        result.expect(
            one.get("merged_into") is None or (into is not None and _asker(into) == _asker(one)),
            f"enquiry {key} is merged into one of somebody else",
        )
    await _check_guests(result, store, enquiries)
    await _check_files(result, store, named)


def _asker(enquiry: Document) -> tuple[str | None, str | None]:
    return enquiry["patron_id"], enquiry.get("guest")


async def _check_guests(result: Audit, store: Database, enquiries: Mapping[str, Document]) -> None:
    """Check that each enquiry of a guest can be answered, and no address is left without one."""
    guests = {one["_id"]: one async for one in store.guests.find({})}
    result.counts["guests"] = len(guests)
    of_guests = {key for key, one in enquiries.items() if one.get("guest")}
    confirmed = {key for key, one in guests.items() if one["question"] is None}
    for key in of_guests ^ confirmed:
        result.expect(False, f"the guest {key} has an enquiry or an address without the other")
    for key, one in enquiries.items():
        result.expect(
            (one["patron_id"] is None) == bool(one.get("guest")),
            f"enquiry {key} is not of one patron or guest",
        )


async def _check_files(result: Audit, store: Database, named: dict[str, str]) -> None:
    """Check the files that messages name, and that no content is left without one."""
    attachments = {one["_id"]: one async for one in store.attachments.find({})}
    result.counts["attachments"] = len(attachments)
    sent = {key: one["enquiry_id"] for key, one in attachments.items() if one["enquiry_id"]}
    result.expect(sent == named, f"files and messages differ: {sent.items() ^ named.items()}")
    sizes = {one["_id"]: one["length"] async for one in store["attachment_contents.files"].find({})}
    stored = await store["attachment_contents.chunks"].distinct("files_id")
    contents = {one["content_id"]: one["size"] for one in attachments.values()}
    for key, one in attachments.items():
        if one["enquiry_id"]:
            content = one["content_id"]
            result.expect(
                sizes.get(content) == one["size"] and content in stored,
                f"file {key} has no content of {one['size']} bytes",
                lost=1,
            )
    begun = {key for key, one in attachments.items() if one["content_id"] is None}
    for name in {*sizes, *stored} - contents.keys():
        # A file without content may still get this one; the job purge-attachments ends its wait.
        waits = name.partition(".")[0] in begun
        result.expect(waits, f"the content {name} belongs to no file")


CHECK = "visits"
GRACE = timedelta(hours=1)
"""Time that the database may take to delete what has expired."""


async def check_visits(client: Client, settings: Settings) -> Finding:
    """Check the age of visits and keys, and that the settings have the master keys in use."""
    database = client[f"{settings.database_prefix}_notices"]
    now = wall_clock()
    too_old = [{"recorded_at": {"$lt": now - timedelta(days=KEPT_DAYS) - GRACE}}]
    last = last_destroyed(library_day(now - GRACE, settings.zone)).isoformat()
    day: dict[str, Any] = {"$lte": last}
    if settings.simulation:
        day = {"$exists": False}  # visits of other years: only their real age counts
    old = await database.visits.count_documents({"$or": [*too_old, {"day": day}]})
    old_keys = await database.visit_keys.count_documents({"$or": [*too_old, {"_id": day}]})
    if old or old_keys:
        found = f"{old} visits and {old_keys} keys are older than {KEPT_DAYS} days"
        remedy = "run the job notices/purge-visits, and check that notices has the role jobs"
        return Finding(CHECK, "fail", found, remedy)
    wrapped = [key["wrapped"] async for key in database.visit_keys.find({})]
    kept = await database.visits.estimated_document_count()
    found = f"{kept} of the last {KEPT_DAYS} days, with {len(wrapped)} keys"
    secrets = each_of(load(NoticesSettings).visit_keys)
    return _master_keys(found, wrapped, secrets)


def _master_keys(found: str, wrapped: list[bytes], secrets: list[str]) -> Finding:
    unwraps = [
        {place for place, one in enumerate(secrets) if sealing.unwrapped(_alone(one), key)}
        for key in wrapped
    ]
    if not all(unwraps):
        lost = f"CARREL_VISIT_KEYS lacks the master key of {unwraps.count(set())} days"
        return Finding(CHECK, "fail", lost, "set it as notices had it; nobody can trace otherwise")
    unused = set(range(1, len(secrets))) - {place for places in unwraps for place in places}
    if unused:
        spare = f"{found}; CARREL_VISIT_KEYS has keys that no day needs"
        remedy = "remove and destroy all but the first: no backup can be read without them"
        return Finding(CHECK, "warn", spare, remedy)
    if not secrets:
        found += "; CARREL_VISIT_KEYS is not set: visitors are counted and not registered"
    return Finding(CHECK, "ok", found)


def _alone(secret: str) -> sealing.Master:
    return sealing.Master([sealing.master_key(secret)])
