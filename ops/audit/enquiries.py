"""The audit of Ask a Librarian: messages, files and guests are whole, each with its enquiry."""

from collections import Counter
from collections.abc import Mapping

from ops.audit.findings import Audit
from shared.mongo import Database, Document


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
