"""`carrel audit`: check that databases, topics and views agree.

It reads everything, so it is for a system at rest: let all events arrive first, or those on their
way are reported as missing. It reads the stored documents themselves, without the services' code,
because that code is what it checks.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson
import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console

from ops.console import AsJson
from ops.restore import Lost, recorded_as_lost
from ops.sweeps import sweeping
from ops.target import Data, settings_of
from services.circulation.domain.hold import OPEN_STATES
from services.gateway.views.store.schema import WHOLE
from services.registry import NAMES, OWNERS
from services.settings import Settings
from shared.clock import wall_clock
from shared.contracts import published
from shared.mongo import Client, Database, Document, connect
from shared.names import Names

app = typer.Typer(help="Compare every database, topic and view.")

OPEN_HOLDS = [state.value for state in OPEN_STATES]
TELLS_ONE_PATRON = (
    "loan.due-date-changed",
    "fine.assessed",
    "fine.adjusted",
    "fine.paid",
    "fine.waived",
    "hold.ready",
    "hold.expired",
    "registration.confirmed",
    "registration.cancelled",
)
"""Topics whose events give one patron one notification each; see `_is_told`."""


@dataclass
class Audit:
    """The numbers of things that were checked, and the findings."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    lost: int = 0
    """Events, loans and notifications that should exist and don't."""
    doubled: int = 0
    """Events, loans and notifications that exist once more than they should."""
    aged: bool = False
    """True if outbox rows have expired: only younger events can be compared with the topics."""

    def expect(self, holds: bool, otherwise: str, *, lost: int = 0, doubled: int = 0) -> None:
        """Note a finding, with the number lost or doubled, unless a condition holds."""
        if not holds:
            self.findings.append(otherwise)
            self.lost += lost
            self.doubled += doubled


@app.callback(invoke_without_command=True)
def audit_command(as_json: AsJson = False, data: Data = None) -> None:
    """Compare every database, topic and view; exit 1 if anything is lost, doubled or differs.

    Run it when no events are on their way.
    """
    found = asyncio.run(audit(settings_of(data)))
    if as_json:
        document = {
            "counts": found.counts,
            "findings": found.findings,
            "lost": found.lost,
            "doubled": found.doubled,
        }
        typer.echo(json.dumps(document, indent=2))
    else:
        console = Console(highlight=False)
        for what, count in sorted(found.counts.items()):
            console.print(f"{count:>8} {what}")
        for finding in found.findings:
            console.print(finding, style="red", markup=False)
        console.print("All agree." if not found.findings else f"{len(found.findings)} findings.")
    raise typer.Exit(1 if found.findings else 0)


async def audit(settings: Settings) -> Audit:
    """Compare everything; the system should be at rest."""
    client: Client = connect(settings.mongo_url)
    result = Audit()
    try:
        stores = {service: client[f"{settings.database_prefix}_{service}"] for service in NAMES}
        expired = wall_clock() - timedelta(days=settings.outbox_days)
        lost = [event async for event in recorded_as_lost(client, settings)]
        since = expired + timedelta(hours=1)
        events = await _events(result, stores, settings, since, lost)
        for branch in await sweeping(stores["circulation"]):
            result.expect(False, f"the due dates of {branch} are still being moved")
        await _copies_and_limits(result, stores["circulation"])
        await _charges(result, stores["circulation"])
        await _ledger(result, stores["circulation"])
        await _payments(result, stores["circulation"])
        await _holds(result, stores["circulation"])
        await _registrations(result, stores["events"], events)
        await _views(result, stores)
        await _notifications(result, stores["notices"], events)
    finally:
        client.close()
    return result


async def _events(
    result: Audit,
    stores: dict[str, Database],
    settings: Settings,
    since: datetime,
    lost: Sequence[Lost],
) -> dict[str, list[Document]]:
    """Compare outboxes with topics, and check the versions of each resource.

    Returns the events by topic. `lost` are events lost before a backup was restored: no outbox
    has them, and their versions are not used again.
    """
    relayed, result.aged = await _topics(settings, since)
    recorded: dict[str, list[Document]] = defaultdict(list)
    versions: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for service in OWNERS:
        async for row in stores[service].outbox.find({"recorded_at": {"$gte": since}}):
            topic = row["topic"]
            result.counts["events recorded"] += 1
            result.expect("pending" not in row, f"{topic} {row['_id']} was never relayed")
            result.expect(
                row["_id"] in relayed[topic], f"{topic} {row['_id']} is not on its topic", lost=1
            )
            body = orjson.loads(row["body"])
            recorded[topic].append({"event_id": row["_id"], **body})
            resource = (_resource(topic), row["headers"]["ce_subject"])
            versions[resource][body["version"]] += 1
    known = {event["event_id"] for events in recorded.values() for event in events}
    known |= {event.event_id for event in lost}
    for event in lost:
        kind = _resource(event.topic)
        if counted := versions.get((kind, event.subject)):
            # A notification's id derives from its event, so it may be made again after a restore.
            again = kind == "notification" and counted[event.version]
            counted[event.version] += 0 if again else 1
    result.counts["events lost before a restore"] = len(lost)
    for topic, ids in relayed.items():
        for event_id in ids - known:
            result.expect(
                False, f"{topic} {event_id} is on its topic, but nobody recorded it", lost=1
            )
    result.counts["events on topics"] = sum(len(ids) for ids in relayed.values())
    result.counts["resources"] = len(versions)
    for (kind, subject), counted in versions.items():
        first = min(counted) if result.aged else 1
        wanted = dict.fromkeys(range(first, max(counted) + 1), 1)
        result.expect(
            counted == Counter(wanted),
            f"{kind} {subject} was published as versions {sorted(counted.elements())}",
            lost=len(wanted.keys() - counted.keys()),
            doubled=counted.total() - len(counted),
        )
    return recorded


def _resource(topic: str) -> str:
    """Return the kind of resource whose versions a topic's events count."""
    kind = topic.partition(".")[0]
    return {"recording": "activity"}.get(kind, kind)


async def _topics(settings: Settings, since: datetime) -> tuple[dict[str, set[str]], bool]:
    """Return the event ids of each topic recorded since `since`, and whether any event is older."""
    found: dict[str, set[str]] = {topic: set() for topic in published()}
    oldest = since.timestamp() * 1000
    aged = False
    names, bootstrap = Names(settings.topic_prefix), settings.kafka.split(",")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await admin.start()
    await consumer.start()
    try:
        # A consumer knows the partitions of the topics that it subscribes to only; a topic that
        # does not exist is described with no partition.
        partitions = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in await admin.describe_topics([names.on_kafka(name) for name in found])
            for partition in topic["partitions"]
        ]
        consumer.assign(partitions)
        ends = {p: end for p, end in (await consumer.end_offsets(partitions)).items() if end}
        starts = await consumer.beginning_offsets(partitions)
        left = {p for p, end in ends.items() if end > starts[p]}
        for partition in partitions:
            consumer.seek(partition, starts[partition])
        async with asyncio.timeout(60):
            while left:
                for partition, records in (await consumer.getmany(timeout_ms=500)).items():
                    for record in records:
                        headers = dict(record.headers)
                        if record.timestamp < oldest:
                            aged = True
                        else:
                            found[names.topic(partition.topic)].add(
                                headers.get("ce_id", b"?").decode()
                            )
                        if record.offset + 1 >= ends[partition]:
                            left.discard(partition)
    finally:
        await consumer.stop()
        await admin.close()
    return found, aged


async def _copies_and_limits(result: Audit, store: Database) -> None:
    """Check that each copy on loan has one open loan, and that each patron's counts are right."""
    open_by_copy: Counter[str] = Counter()
    open_by_patron: Counter[str] = Counter()
    async for loan in store.loans.find({"state": "open"}):
        result.counts["open loans"] += 1
        open_by_copy[loan["copy_id"]] += 1
        open_by_patron[loan["patron_id"]] += 1
    for copy, count in open_by_copy.items():
        result.expect(count == 1, f"copy {copy} has {count} open loans", doubled=count - 1)
    async for copy in store.copies.find({}):
        result.counts["copies"] += 1
        out = copy["state"] == "on-loan"
        result.expect(
            out == (copy["_id"] in open_by_copy),
            f"copy {copy['barcode']} is {copy['state']}: {open_by_copy[copy['_id']]} open loans",
            lost=1,
        )
    owed: Counter[str] = Counter()
    async for charge in store.charges.find({}):
        owed[charge["patron_id"]] += charge["outstanding_cents"]
    counted = {borrower["_id"]: borrower async for borrower in store.borrowers.find({})}
    for patron in {*open_by_patron, *owed, *counted}:
        borrower = counted.get(patron, {"open_loans": 0, "outstanding_cents": 0})
        found = (borrower["open_loans"], borrower["outstanding_cents"])
        true = (open_by_patron[patron], owed[patron])
        result.expect(found == true, f"patron {patron} is counted {found}, but has {true}")


async def _charges(result: Audit, store: Database) -> None:
    """Check that each fine is charged once for each due date, and matches its statement."""
    seen: Counter[tuple[str, str]] = Counter()
    async for charge in store.charges.find({"kind": "fine"}):
        result.counts["fines"] += 1
        statement = charge["statement"]
        seen[charge["loan_id"], str(statement["due_on"])] += 1
        total = sum(span["amount_cents"] for span in statement["spans"])
        result.expect(
            charge["amount_cents"] == statement["amount_cents"] == total,
            f"charge {charge['_id']} of {charge['amount_cents']} has a statement of {total}",
        )
    for (loan, due_on), count in seen.items():
        result.expect(
            count == 1, f"loan {loan} was charged {count} times for {due_on}", doubled=count - 1
        )


async def _holds(result: Audit, store: Database) -> None:
    """Check that each copy is kept for one hold at most, and is not free while a patron waits.

    The rules decide whether a patron can be served; this counts only patrons who certainly can.
    """
    waiting: list[Document] = []
    given: dict[str, Document] = {}
    open_by_patron: Counter[str] = Counter()
    async for hold in store.holds.find({"state": {"$in": OPEN_HOLDS}}):
        result.counts["open holds"] += 1
        open_by_patron[hold["patron_id"]] += 1
        if hold["state"] == "waiting":
            waiting.append(hold)
            continue
        twice = hold["copy_id"] in given
        result.expect(not twice, f"copy {hold['copy_id']} is given to 2 holds", doubled=1)
        given[hold["copy_id"]] = hold
    free: dict[str, str] = {}
    async for copy in store.copies.find({"state": {"$nin": ["on-loan", "lost"]}}):
        hold = given.pop(copy["_id"], None)
        kept_for = copy.get("hold_id")
        result.expect(
            kept_for == (hold["_id"] if hold else None),
            f"copy {copy['barcode']} is {copy['state']} for hold {kept_for}, which is not so",
            lost=1,
        )
        if copy["state"] in ("available", "in-transit") and not kept_for:
            free[copy["title_id"]] = copy["barcode"]
    for hold in given.values():
        result.expect(False, f"hold {hold['_id']} is {hold['state']} with no such copy", lost=1)
    await _waiting(result, store, waiting, free)
    async for borrower in store.borrowers.find({}):
        true, counted = open_by_patron.pop(borrower["_id"], 0), borrower.get("open_holds", 0)
        result.expect(
            counted == true, f"patron {borrower['_id']} is counted {counted} holds, but has {true}"
        )
    for patron, true in open_by_patron.items():
        result.expect(False, f"patron {patron} is counted no holds, but has {true}")


async def _waiting(
    result: Audit, store: Database, waiting: list[Document], free: dict[str, str]
) -> None:
    """Check that no hold waits for a free copy, unless there may be a reason to pass it over."""
    shut = {
        branch["_id"]
        async for branch in store.calendars.find({})
        if any(
            closure["announcements"][-1]["reopened_on"] is None for closure in branch["closures"]
        )
    }
    stopped = {patron["_id"] async for patron in store.patrons.find({"blocked": True})}
    owing = {one["_id"] async for one in store.borrowers.find({"outstanding_cents": {"$gt": 0}})}
    for hold in waiting:
        may_be_passed_over = (
            hold["frozen"]
            or hold["expires_on"]
            or hold["pickup_branch"] in shut
            or hold["patron_id"] in stopped | owing
        )
        result.expect(
            bool(may_be_passed_over) or hold["title_id"] not in free,
            f"copy {free.get(hold['title_id'])} is free while patron {hold['patron_id']} waits",
        )


async def _registrations(result: Audit, store: Database, events: dict[str, list[Document]]) -> None:
    """Check the places of activities: not too many, counted correctly, and published correctly.

    A place may be free while a patron waits: none is given after an activity has begun.
    """
    there = {one["_id"]: one async for one in store.registrations.find({})}
    result.counts["registrations"] = len(there)
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for one in there.values():
        states[one["activity_id"]][one["state"]] += 1
    async for places in store.places.find({}):
        true = states[places["_id"]]
        counted = Counter(confirmed=places["taken"], waitlisted=places["waiting"])
        result.expect(
            counted == true,
            f"activity {places['_id']} is counted {dict(counted)}, but has {dict(true)}",
        )
        more = true["confirmed"] - places["places"]
        result.expect(
            more <= 0, f"activity {places['_id']} gave {more} places too many", doubled=max(more, 0)
        )
    told = [
        event for topic in events if topic.startswith("registration.") for event in events[topic]
    ]
    last = {event["registration_id"]: event for event in sorted(told, key=lambda e: e["version"])}
    for key in last if result.aged else {*last, *there}:
        said = last[key]["state"] if key in last else None
        true_state = there[key]["state"] if key in there else "cancelled"
        result.expect(
            said == true_state, f"registration {key} is {true_state}, but told as {said}", lost=1
        )


async def _ledger(result: Audit, store: Database) -> None:
    """Check that the entries of each charge add up to the charge and belong to its patron."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    patrons: dict[str, set[str]] = defaultdict(set)
    async for entry in store.entries.find({}):
        result.counts["ledger entries"] += 1
        sums[entry["charge_id"]][entry["kind"]] += entry["amount_cents"]
        patrons[entry["charge_id"]].add(entry["patron_id"])
    charges = {charge["_id"]: charge async for charge in store.charges.find({})}
    for charge_id in {*charges, *sums}:
        charge, kinds = charges.get(charge_id), sums[charge_id]
        if charge is None:
            result.expect(False, f"charge {charge_id} has entries, and is not there", lost=1)
            continue
        refunds = kinds["refund-due"] + kinds["refund"]
        found = {
            "amount_cents": kinds["charge"] + kinds["credit"] + kinds["refund-due"],
            "outstanding_cents": kinds.total() - refunds,
            "paid_cents": kinds["refund-due"] - kinds["payment"],
            "waived_cents": -kinds["waiver"],
            "refund_due_cents": -refunds,
        }
        told = {name: charge[name] for name in found}
        result.expect(
            found == told and min(told.values()) >= 0,
            f"charge {charge_id} says {told}, its ledger {found}",
        )
        result.expect(
            patrons[charge_id] <= {charge["patron_id"]},
            f"charge {charge_id} has entries of another patron",
        )


async def _payments(result: Audit, store: Database) -> None:
    """Check that each payment and refund is booked once, and pending ones have claimed charges."""
    booked: Counter[tuple[str, str, int]] = Counter()
    async for entry in store.entries.find({"kind": {"$in": ["payment", "refund"]}}):
        booked[entry["reference"], entry["charge_id"], abs(entry["amount_cents"])] += 1
    true: Counter[tuple[str, str, int]] = Counter()
    claims = {claim["_id"]: claim["of"] async for claim in store.claims.find({})}
    claimed: dict[str, str] = {}
    async for payment in store.payments.find({}):
        result.counts["payments"] += 1
        for part in payment["parts"]:
            if payment["state"] == "paid":
                true[payment["_id"], part["charge_id"], part["cents"]] += 1
            elif payment["state"] != "declined":
                claimed[part["charge_id"]] = payment["_id"]
    async for refund in store.refunds.find({}):
        result.counts["refunds"] += 1
        if refund["settled"]:
            true[refund["_id"], refund["charge_id"], refund["cents"]] += 1
        else:
            claimed[refund["charge_id"]] = refund["_id"]
    for part in {*booked, *true}:
        result.expect(
            booked[part] == true[part],
            f"payment {part[0]} is booked {booked[part]} times for charge {part[1]}, "
            f"and was made {true[part]} times",
            lost=max(true[part] - booked[part], 0),
            doubled=max(booked[part] - true[part], 0),
        )
    result.expect(
        claims == claimed, f"charges are claimed by {claims}, but money is under way by {claimed}"
    )


async def _views(result: Audit, stores: dict[str, Database]) -> None:
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
    registered = await _by_patron(stores["events"].registrations.find({}))
    for patron in {*views, *loans, *holds, *charges, *unread, *registered}:
        view = views.get(patron, {})
        shown = {
            (key, loan["version"], loan["due_on"])
            for key, loan in view.get("loans", {}).items()
            if loan["state"] == "open"
        }
        true = {(loan["_id"], loan["version"], loan["due_on"]) for loan in loans[patron]}
        result.expect(shown == true, f"patron {patron} is shown other loans: {shown ^ true}")
        awaited = {
            (key, hold["version"], hold["state"])
            for key, hold in view.get("holds", {}).items()
            if hold["state"] in OPEN_HOLDS
        }
        truly_awaited = {(hold["_id"], hold["version"], hold["state"]) for hold in holds[patron]}
        result.expect(
            awaited == truly_awaited,
            f"patron {patron} is shown other holds: {awaited ^ truly_awaited}",
        )
        owed = {
            (key, charge["outstanding_cents"], charge.get("refund_due_cents", 0))
            for key, charge in view.get("charges", {}).items()
            if charge["outstanding_cents"] or charge.get("refund_due_cents")
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
        told = {key for key, one in view.get("notifications", {}).items() if not one["read"]}
        inbox = {notification["_id"] for notification in unread[patron]}
        result.expect(told == inbox, f"patron {patron} is shown other news: {told ^ inbox}")


async def _by_patron(documents: AsyncIterator[Document]) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = defaultdict(list)
    async for document in documents:
        found[document["patron_id"]].append(document)
    return found


async def _notifications(result: Audit, store: Database, events: dict[str, list[Document]]) -> None:
    """Check that each patron to be notified of an event has exactly one notification of it."""
    erased = {event["patron_id"] for event in events["patron.erased"]}
    told: Counter[tuple[str, str]] = Counter()
    async for notification in store.notifications.find({}):
        result.counts["notifications"] += 1
        about = notification["about"]
        told[notification["kind"], notification["patron_id"]] += 1
        result.expect(
            notification["patron_id"] not in erased,
            f"notification {notification['_id']} is of a patron who was erased",
        )
        if notification["kind"].startswith("loan."):
            result.expect(bool(about["loan_id"]), f"notification {notification['_id']} has no loan")
    for topic in TELLS_ONE_PATRON:
        wanted = Counter(
            e["patron_id"]
            for e in events[topic]
            if e["patron_id"] not in erased and _is_told(topic, e)
        )
        for patron in {patron for kind, patron in told if kind == topic} | set(wanted):
            found, true = told[topic, patron], wanted[patron]
            result.expect(
                found >= true if result.aged else found == true,
                f"patron {patron} was told {found} times of {true} {topic}",
                lost=max(true - found, 0),
                doubled=max(found - true, 0),
            )


def _is_told(topic: str, event: Document) -> bool:
    """Return whether an event needs a notification: a change by the patron needs none."""
    match topic:
        case "registration.confirmed":
            return bool(event["waited"])
        case "registration.cancelled":
            return bool(event["by"] == "activity")
    return True
