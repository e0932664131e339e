"""The audit of linked cards: each link has two sides, and circulation knows the same links."""

from ops.audit.findings import Audit
from shared.mongo import Database


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
