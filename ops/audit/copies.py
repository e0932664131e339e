"""The audit of copies: what a service keeps of another's data is what the owner has.

Events bring these copies. One that differs decides wrongly although every view is right, such as a
branch without its closure, whose days are charged.
"""

from collections import defaultdict

from ops.audit.findings import Audit, Recorded
from shared.mongo import Database, Document

NEVER_DELETED = {
    "title.catalogued": ("circulation", "titles", "title_id"),
    "fines.suspended": ("circulation", "suspensions", "suspension_id"),
    "branch.registered": ("notices", "branches", "branch"),
    "activity.published": ("events", "activities", "activity_id"),
    "patron.registered": ("accounts", "patrons", "patron_id"),
}
"""Topics of resources that stay in a collection of their owner for ever, with the field of the id.
An erased patron stays without details."""


async def check_owners(result: Audit, stores: dict[str, Database], recorded: Recorded) -> None:
    """Check that the owner of each published resource that is never deleted still has it."""
    published: dict[str, set[str]] = defaultdict(set)
    async for topic, event in recorded.on(*NEVER_DELETED):
        published[topic].add(event[NEVER_DELETED[topic][2]])
    for topic, (service, collection, _) in NEVER_DELETED.items():
        there = {one["_id"] async for one in stores[service][collection].find({}, {"_id": 1})}
        for key in sorted(published[topic] - there):
            result.expect(
                False, f"{key} was published as {topic}, but is not in {collection}", lost=1
            )


async def check_calendars(result: Audit, notices: Database, circulation: Database) -> None:
    """Check that circulation knows the closures of each branch as notices announced them."""
    announced = {
        branch["_id"]: {
            closure["closure_id"]: _announcements(closure) for closure in branch["closures"]
        }
        async for branch in notices.branches.find({})
    }
    known = {
        branch["_id"]: {closure["id"]: _announcements(closure) for closure in branch["closures"]}
        async for branch in circulation.calendars.find({})
    }
    result.counts["branches"] = len(announced)
    for code in sorted({*announced, *known}):
        result.expect(
            announced.get(code) == known.get(code),
            f"circulation knows other closures of {code} than notices announced",
        )


def _announcements(closure: Document) -> list[tuple[int, str | None]]:
    return [(one["version"], one["reopened_on"]) for one in closure["announcements"]]


async def check_patrons(result: Audit, accounts: Database, circulation: Database) -> None:
    """Check that circulation knows category, block and card of each patron, and accounts debts.

    Accounts blocks a patron for debts by the standing that circulation has published.
    """
    known = {
        one["_id"]: (one["category"], one["blocked"], one.get("card_expires_on"))
        async for one in circulation.patrons.find(
            {}, {"category": 1, "blocked": 1, "card_expires_on": 1}
        )
    }
    owing = {
        one["_id"] async for one in accounts.standings.find({"owes_too_much": True}, {"_id": 1})
    }
    there: set[str] = set()
    fields = {"category": 1, "status": 1, "blocked_by": 1, "card_expires_on": 1}
    async for patron in accounts.patrons.find({}, fields):
        key, causes = patron["_id"], patron["blocked_by"]
        there.add(key)
        if patron["status"] == "erased":
            continue
        # A block for debts alone is not told here: circulation counts them itself.
        blocked = patron["status"] == "blocked" and causes != ["money"]
        result.expect(
            known.get(key) == (patron["category"], blocked, patron.get("card_expires_on")),
            f"circulation knows another category, block or expiry of patron {key} than accounts",
        )
        result.expect(
            ("money" in causes) == (key in owing),
            f"patron {key} is blocked by {causes}, but their standing says otherwise",
        )
    for key in sorted({*known, *owing} - there):
        result.expect(False, f"patron {key} is known, but accounts does not have them", lost=1)


async def check_links(result: Audit, accounts: Database, circulation: Database) -> None:
    """Check that both sides of each link are there, and that circulation has just these."""
    links = [link async for link in accounts.links.find({})]
    result.counts["sides of linked cards"] = len(links)
    pairs = {(link["patron_id"], link["member_id"]) for link in links}
    for link in links:
        result.expect(
            (link["member_id"], link["patron_id"]) in pairs,
            f"link {link['_id']} has only one side",
            lost=1,
        )
    patrons = {link["patron_id"] for link in links}
    gone = {"_id": {"$in": sorted(patrons)}, "status": "erased"}
    async for patron in accounts.patrons.find(gone, {"_id": 1}):
        result.expect(False, f"a link belongs to the erased patron {patron['_id']}")
    known = {link["_id"] async for link in circulation.links.find({"ended_at": None})}
    true = {link["_id"] for link in links}
    result.expect(
        known == true,
        f"circulation knows other links of cards: {sorted(known ^ true)}",
        lost=len(true - known),
        doubled=len(known - true),
    )
