"""The audit of a whole system: its databases, topics and account views agree.

It reads everything, so it is for a system at rest: let all events arrive first, or those on their
way are reported as missing. It reads the stored documents themselves, without the services' code,
because that code is what it checks.
"""

from datetime import timedelta

from ops.audit.circulation import (
    check_copies_and_limits,
    check_erasures,
    check_fines,
    check_holds,
    check_ledger,
    check_payments,
    check_queues,
    check_tills,
)
from ops.audit.copies import check_calendars, check_links, check_owners, check_patrons
from ops.audit.events import check_events, recorded_as_lost
from ops.audit.findings import Audit, Recorded
from ops.audit.notices import check_enquiries, check_notifications
from ops.audit.places import (
    check_admissions,
    check_bookings,
    check_closed_days,
    check_registrations,
    check_rooms,
)
from ops.audit.security import audit_trails
from ops.audit.views import check_views
from ops.databases import branches_to_move
from services.registry import NAMES
from services.settings import Settings
from shared.clock import wall_clock
from shared.mongo import Client, connect


async def audit(settings: Settings) -> Audit:
    """Compare everything; the system should be at rest."""
    client: Client = connect(settings.mongo_url)
    result = Audit()
    try:
        stores = {service: client[f"{settings.database_prefix}_{service}"] for service in NAMES}
        expired = wall_clock() - timedelta(days=settings.outbox_days)
        lost = [event async for event in recorded_as_lost(client, settings)]
        since = expired + timedelta(hours=1)
        await check_events(result, stores, settings, since, lost)
        recorded = Recorded(stores, since)
        for branch in await branches_to_move(stores["circulation"]):
            result.expect(False, f"the due dates of {branch} are still being moved")
        await check_copies_and_limits(result, stores["circulation"])
        await check_erasures(result, stores["accounts"], stores["circulation"])
        await check_fines(result, stores["circulation"])
        await check_ledger(result, stores["circulation"])
        await check_payments(result, stores["circulation"])
        await check_tills(result, stores["circulation"])
        await check_holds(result, stores["circulation"])
        await check_queues(result, stores["circulation"])
        await check_registrations(result, stores["events"], recorded)
        await check_admissions(result, stores["events"], recorded)
        await check_bookings(result, stores["events"], recorded)
        await check_closed_days(result, stores["events"])
        await check_rooms(result, stores["events"])
        await check_owners(result, stores, recorded)
        await check_calendars(result, stores["notices"], stores["circulation"])
        await check_patrons(result, stores["accounts"], stores["circulation"])
        await check_links(result, stores["accounts"], stores["circulation"])
        await check_views(result, stores)
        await check_enquiries(result, stores["notices"])
        await check_notifications(result, stores["notices"], recorded)
        await audit_trails(result, stores)
    finally:
        client.close()
    return result
