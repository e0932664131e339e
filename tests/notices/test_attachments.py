"""Attachments of Ask a Librarian over HTTP: upload, send, download, limits, erasure and purge."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from ops.audit.findings import Audit
from ops.audit.notices import check_enquiries
from services.notices.enquiries.queries import existing_content
from services.notices.enquiries.refusals import NoSuchAttachment
from services.notices.enquiries.rules.enquiries import MOST_IN_ENQUIRY, MOST_UNUSED
from services.notices.enquiries.store import attachments as attachments_store
from shared.transactions import Step
from shared.unit_of_work import UnitOfWork
from tests.notices.library import STAFF, erased, hear, patron
from tests.notices.test_enquiries import MARCH_8, MARCH_9, QUESTION, ask, command, shown
from tests.support import OPS, Answer, Api

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 3
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"
TEXT = "Karte von Hongkong\r\n香港地圖\tcirca 1900\n".encode()
MARCH_10 = "2021-03-10T11:00:00+08:00"


async def upload(
    api: Api,
    content: bytes,
    *,
    name: str = "map.png",
    as_: str | None = None,
    at: str = MARCH_8,
    key: str | None = None,
) -> Answer:
    return await api.call(
        "POST",
        f"/v1/attachments?name={quote(name)}",
        data=content,
        headers={"Content-Type": "application/octet-stream"},
        as_=as_ or patron("a"),
        at=at,
        key=key,
    )


async def uploaded(api: Api, content: bytes = PNG, **more: Any) -> str:
    answer = await upload(api, content, **more)
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


async def download(api: Api, attachment: str, as_: str) -> Answer:
    return await api.get(f"/v1/attachments/{attachment}", as_=as_)


def code(answer: Answer) -> str:
    return str(answer.json()["code"])


async def stored(api: Api) -> tuple[int, int, int]:
    """Return the number of attachments, of contents and of their chunks."""
    database = api.app.state.database
    names = (attachments_store.ATTACHMENTS, attachments_store.FILES, attachments_store.CHUNKS)
    attachments, files, chunks = [await database[name].count_documents({}) for name in names]
    return attachments, files, chunks


async def audited(api: Api) -> list[str]:
    """Return the findings of the audit of enquiries and their files."""
    audit = Audit()
    await check_enquiries(audit, api.app.state.database)
    return audit.findings


async def purge(api: Api, at: str) -> int:
    path = "/v1/ops/jobs/notices/purge-attachments"
    return int((await api.insist("POST", path, as_=OPS, at=at)).json()["done"])


async def test_files_are_sent_with_a_question_a_reply_and_an_answer(api: Api) -> None:
    asked = await ask(api, attachments=[await uploaded(api, PDF, name="plan.pdf")])
    reply = [await uploaded(api, TEXT, name="list.txt"), await uploaded(api, JPEG, name="a.JPEG")]
    answer = await command(api, asked, "replies", patron("a"), text="See these.", attachments=reply)
    assert answer.status == 201, answer.body
    by_staff = await uploaded(api, PNG, as_=STAFF)
    answer = await command(api, asked, "answers", text="Here.", seen=2, attachments=[by_staff])
    assert answer.status == 201, answer.body

    thread = (await shown(api, asked, patron("a")))["thread"]
    files = [[(one["name"], one["kind"], one["size"]) for one in m["attachments"]] for m in thread]
    assert files == [
        [("plan.pdf", "application/pdf", len(PDF))],
        [("list.txt", "text/plain", len(TEXT)), ("a.JPEG", "image/jpeg", len(JPEG))],
        [("map.png", "image/png", len(PNG))],
    ]
    for attachment, content in zip((reply[0], by_staff), (TEXT, PNG), strict=True):
        for reader in (patron("a"), STAFF):
            file = await download(api, attachment, reader)
            assert (file.status, file.body) == (200, content)


async def test_a_file_is_saved_and_never_shown_by_a_browser(api: Api) -> None:
    attachment = await uploaded(api, TEXT, name="../../地圖\r\n\u202e<b>.exe")
    file = await download(api, attachment, patron("a"))
    disposition = file.headers["Content-Disposition"]
    assert disposition == f"attachment; filename*=UTF-8''{quote('地圖b.exe.txt')}"
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert file.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "no-store" in file.headers["Cache-Control"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"  \n",
        b"GIF89a\x01\x00",
        b"PK\x03\x04",
        b"MZ\x90\x00",
        b"\xff\xfe",
        b"a\x00b",
        b"\x1b[31mred",
    ],
)
async def test_the_content_decides_whether_a_file_is_taken(api: Api, content: bytes) -> None:
    refused = await upload(api, content, name="honest.pdf")
    assert refused.status == 422
    assert code(refused) == ("bad-attachment" if content else "malformed")
    assert await stored(api) == (0, 0, 0)


async def test_a_file_belongs_to_its_owner_until_it_is_sent_and_to_one_message_then(
    api: Api,
) -> None:
    attachment = await uploaded(api)
    for reader in (patron("b"), STAFF):
        assert code(await download(api, attachment, reader)) == "no-such-attachment"
    stolen = await api.post(
        "/v1/enquiries", QUESTION | {"attachments": [attachment]}, as_=patron("b")
    )
    assert (stolen.status, code(stolen)) == (404, "no-such-attachment")
    asked = await ask(api, attachments=[attachment, attachment])
    [message] = (await shown(api, asked, patron("a")))["thread"]
    assert len(message["attachments"]) == 1
    again = await command(
        api, asked, "replies", patron("a"), text="Again", attachments=[attachment]
    )
    assert (again.status, code(again)) == (404, "no-such-attachment")
    assert (await download(api, attachment, patron("b"))).status == 404
    assert (await download(api, attachment, STAFF)).status == 200


async def test_a_file_is_sent_once_by_twenty_at_the_same_time(api: Api, replica: Api) -> None:
    attachment = await uploaded(api)
    asked = await ask(api)
    answers = await asyncio.gather(
        *(
            command(
                (api, replica)[number % 2],
                asked,
                "replies",
                patron("a"),
                text=f"Reply {number}",
                attachments=[attachment],
            )
            for number in range(20)
        )
    )
    assert sorted(answer.status for answer in answers) == [201] + [404] * 19
    thread = (await shown(api, asked, STAFF))["thread"]
    assert sum(len(message["attachments"]) for message in thread) == 1


async def test_the_number_of_files_without_a_message_is_limited(api: Api, replica: Api) -> None:
    answers = await asyncio.gather(
        *(
            (api, replica)[number % 2].insist(
                "POST",
                "/v1/attachments?name=map.png",
                data=PNG,
                headers={"Content-Type": "application/octet-stream"},
                as_=patron("a"),
                at=MARCH_8,
            )
            for number in range(MOST_UNUSED + 10)
        )
    )
    assert sorted(one.status for one in answers) == [201] * MOST_UNUSED + [409] * 10
    assert {code(one) for one in answers if one.status == 409} == {"too-many-attachments"}
    attachments, *contents = await stored(api)
    assert attachments == MOST_UNUSED
    # On a busy machine a first try may have left its content to the job `purge-attachments`.
    assert min(contents) >= MOST_UNUSED
    await uploaded(api, as_=patron("b"))


async def test_the_audit_finds_lost_messages_and_files(api: Api) -> None:
    asked = await ask(api, attachments=[await uploaded(api, PDF), await uploaded(api)])
    await command(api, asked, "notes", text="A note")
    repeat = await ask(api)
    merger = {"into": asked["id"], "seen": 1, "seen_into": 1}
    assert (await command(api, repeat, "merger", **merger)).status == 200
    assert await audited(api) == []
    database = api.app.state.database
    await database.enquiry_messages.delete_one({"enquiry_id": repeat["id"]})
    await database[attachments_store.CHUNKS].delete_one({})
    await database[attachments_store.ATTACHMENTS].delete_one({"kind": "image/png"})
    findings = await audited(api)
    assert sum("counts 1 messages, but has 0" in one for one in findings) == 1, findings
    assert sum("files and messages differ" in one for one in findings) == 1, findings
    assert sum("has no content of" in one for one in findings) >= 1, findings


async def test_a_question_and_a_message_have_a_limited_number_of_files(api: Api) -> None:
    asked = await ask(api)
    for _ in range(MOST_IN_ENQUIRY // 5):
        files = [await uploaded(api) for _ in range(5)]
        sent = await command(api, asked, "replies", patron("a"), text="More", attachments=files)
        assert sent.status == 201, sent.body
    one = await uploaded(api)
    refused = await command(api, asked, "replies", patron("a"), text="More", attachments=[one])
    assert (refused.status, code(refused)) == (409, "too-many-attachments")
    six = [str(number) for number in range(6)]
    refused = await command(api, asked, "replies", patron("a"), text="More", attachments=six)
    assert (refused.status, code(refused)) == (422, "malformed")
    await ask(api, attachments=[one])


async def test_a_file_of_the_greatest_size_is_taken_and_none_above_it(api: Api) -> None:
    most = api.app.state.settings.attachment_bytes
    content = (PDF + bytes(most))[:most]
    attachment = await uploaded(api, content)
    assert (await download(api, attachment, patron("a"))).body == content
    refused = await upload(api, content + b"x")
    assert (refused.status, code(refused)) == (413, "too-large")
    usual = await api.post("/v1/enquiries", QUESTION | {"text": "x" * 300_000}, as_=patron("a"))
    assert (usual.status, code(usual)) == (413, "too-large")


async def test_a_repeated_upload_is_stored_once(api: Api) -> None:
    first = await uploaded(api, TEXT, key="once")
    assert await uploaded(api, TEXT, key="once") == first
    assert await stored(api) == (1, 1, 1)
    other = await upload(api, PNG, key="once")
    assert (other.status, code(other)) == (409, "idempotency-key-reused")


async def test_files_of_an_erased_patron_are_deleted_with_those_they_were_sent(api: Api) -> None:
    unsent = await uploaded(api)
    asked = await ask(api, attachments=[await uploaded(api, PDF)])
    by_staff = await uploaded(api, JPEG, as_=STAFF)
    await command(api, asked, "answers", text="Here.", seen=1, attachments=[by_staff])
    kept = await uploaded(api, TEXT, as_=patron("b"))
    await ask(api, "b", attachments=[kept])
    await hear(api, erased("a"), "e9", MARCH_9)
    for gone in (unsent, by_staff):
        assert (await download(api, gone, STAFF)).status == 404
    assert await stored(api) == (1, 1, 1)
    assert (await download(api, kept, patron("b"))).body == TEXT
    refused = await upload(api, PNG)
    assert (refused.status, code(refused)) == (404, "no-such-patron")
    assert await stored(api) == (1, 1, 1)


async def test_a_file_that_is_deleted_while_it_is_downloaded_is_not_found(api: Api) -> None:
    file = await uploaded(api)
    database = api.app.state.database
    attachment = await attachments_store.find_one(database, file)
    assert attachment is not None
    await hear(api, erased("a"), "e-1", MARCH_9)
    with pytest.raises(NoSuchAttachment):
        await existing_content(database, attachment)


async def test_an_erasure_during_an_upload_leaves_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = attachments_store.write_content

    async def write_and_erase(*given: Any) -> str:
        written = await write(*given)
        await hear(api, erased("a"), "e9", MARCH_9)
        return written

    monkeypatch.setattr(attachments_store, "write_content", write_and_erase)
    refused = await upload(api, PDF)
    assert (refused.status, code(refused)) == (404, "no-such-attachment")
    assert await stored(api) == (0, 0, 0)


async def test_unused_files_are_deleted_after_a_day_and_sent_ones_stay(api: Api) -> None:
    sent, unsent = await uploaded(api), await uploaded(api)
    asked = await ask(api, attachments=[sent])
    assert await purge(api, MARCH_9) == 0  # it is not older than a day
    assert await purge(api, MARCH_10) == 1
    assert (await download(api, unsent, patron("a"))).status == 404
    assert (await download(api, sent, patron("a"))).status == 200
    late = await command(
        api, asked, "replies", patron("a"), text="Late", attachments=[unsent], at=MARCH_10
    )
    assert code(late) == "no-such-attachment"


async def test_a_file_is_either_sent_or_purged(api: Api, replica: Api) -> None:
    for round_ in range(5):
        attachment = await uploaded(api)
        body = QUESTION | {"attachments": [attachment]}
        asked, purged = await asyncio.gather(
            api.insist("POST", "/v1/enquiries", body, as_=patron("a"), at=MARCH_10),
            purge(replica, MARCH_10),
        )
        read = await download(api, attachment, patron("a"))
        assert (asked.status, purged, read.status) in ((201, 0, 200), (404, 1, 404)), round_


async def test_parts_of_a_broken_off_upload_are_deleted(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await uploaded(api, TEXT)
    execute = UnitOfWork.execute

    async def fail(self: UnitOfWork, step: Step) -> Any:
        if step.use_case.__name__ == "keep_content":
            raise ConnectionError("the process ends here")
        return await execute(self, step)

    with monkeypatch.context() as broken:
        broken.setattr(UnitOfWork, "execute", fail)
        assert (await upload(api, PDF)).status == 500
    # Chunks of an upload whose patron was erased, without the file that GridFS writes last.
    await api.app.state.database[attachments_store.CHUNKS].insert_one(
        {"files_id": "gone.1", "n": 0, "data": b"x"}
    )
    assert await stored(api) == (2, 2, 3)
    assert await audited(api) == ["the content gone.1 belongs to no file"]
    assert await purge(api, MARCH_8) == 1
    assert await stored(api) == (2, 2, 2)
    assert await purge(api, MARCH_10) == 2
    assert await stored(api) == (0, 0, 0)
    assert (await download(api, kept, patron("a"))).status == 404
