"""The catalogue is harvested by OAI-PMH 2.0, by two clients that were written elsewhere."""

import asyncio
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from oaipmh_scythe import Scythe
from sickle import Sickle
from sickle.oaiexceptions import NoRecordsMatch

from services.circulation.harvest import queries
from services.circulation.harvest.jobs import note_changes
from tests import patience
from tests.circulation.desk import STAFF, Desk

OAI = "{http://www.openarchives.org/OAI/2.0/}"
DC = "{http://purl.org/dc/elements/1.1/}"
MARC = "{http://www.loc.gov/MARC21/slim}"


async def catalogued(desk: Desk, title: str, *copies: tuple[str, str], **more: Any) -> str:
    """Catalogue a title with copies, pairs of barcode and branch; return its id."""
    of_title = [{"barcode": one, "category": "adult", "branch": where} for one, where in copies]
    body = {"title": title, "authors": [], "kind": "book", "copies": of_title, **more}
    answer = await desk.api.insist("POST", "/v1/titles", body, as_=STAFF)
    assert answer.status == 201, answer.json()
    return str(answer.json()["id"])


async def withdrawn(desk: Desk, barcode: str) -> None:
    """Withdraw a copy."""
    body = {"fault": "withdrawn"}
    answer = await desk.api.insist("POST", f"/v1/copies/{barcode}/removal", body, as_=STAFF)
    assert answer.status == 200, answer.json()


async def asked(desk: Desk, **arguments: str) -> ET.Element:
    """Return the answer to a request, which is well-formed."""
    answer = await desk.api.get("/oai?" + urlencode(arguments))
    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    return ET.fromstring(answer.body)  # noqa: S314 - our own


def sickle(desk: Desk) -> Sickle:
    """Return a client."""
    return Sickle(f"{desk.api.url}/oai", timeout=patience.stretched(20))


def own(identifier: str) -> str:
    """Return the id of a title in an identifier."""
    return identifier.rpartition(":")[2]


async def test_a_title_is_harvested_in_both_formats(desk: Desk) -> None:
    record = {"languages": ["chi"], "year": 1996, "publisher": "素葉", "subjects": ["香港 -- 小說"]}
    title_id = await catalogued(
        desk,
        "我城 <My & City>",
        ("K1", "HKCL"),
        authors=["西西"],
        isbn="9780061120084",
        record=record,
    )

    def read() -> tuple[Any, ...]:
        client = sickle(desk)
        identify = client.Identify()
        formats = [one.metadataPrefix for one in client.ListMetadataFormats()]
        sets = [one.setSpec for one in client.ListSets()]
        [dublin] = client.ListRecords(metadataPrefix="oai_dc")
        marc = client.GetRecord(identifier=dublin.header.identifier, metadataPrefix="marcxml")
        return identify, formats, sets, dublin, marc

    identify, formats, sets, dublin, marc = await asyncio.to_thread(read)
    assert (identify.granularity, identify.deletedRecord) == ("YYYY-MM-DDThh:mm:ssZ", "persistent")
    assert (formats, sets) == (["oai_dc", "marcxml"], ["HKCL", "LFU"])
    assert own(dublin.header.identifier) == title_id
    assert dublin.header.setSpecs == ["HKCL"]
    assert dublin.metadata["title"] == ["我城 <My & City>"]
    assert dublin.metadata["identifier"][0] == "urn:isbn:9780061120084"
    assert dublin.metadata["language"] == ["chi"]
    fields = {one.get("tag"): "".join(one.itertext()) for one in marc.xml.iter(f"{MARC}datafield")}
    assert fields["245"].strip() == "我城 <My & City>"
    assert "K1" in fields["952"]

    def again() -> list[tuple[str, list[str]]]:
        with Scythe(f"{desk.api.url}/oai", http_method="POST") as client:
            records: list[Any] = list(client.list_records(metadata_prefix="oai_dc"))
        return [(own(one.header.identifier), one.metadata["title"]) for one in records]

    assert await asyncio.to_thread(again) == [(title_id, ["我城 <My & City>"])]


async def test_a_title_is_deleted_where_all_its_copies_are_withdrawn(desk: Desk) -> None:
    title_id = await catalogued(desk, "Kite", ("K1", "HKCL"), ("K2", "LFU"))
    await catalogued(desk, "Ordered")

    async def status(**of_set: str) -> dict[str, bool]:
        wanted = {"metadataPrefix": "oai_dc", **of_set}
        headers = await asyncio.to_thread(lambda: list(sickle(desk).ListIdentifiers(**wanted)))
        return {own(one.identifier): one.deleted for one in headers}

    assert await status(set="LFU") == {title_id: False}
    await withdrawn(desk, "K2")
    assert await status(set="LFU") == {title_id: True}
    assert await status(set="HKCL") == {title_id: False}
    assert sorted((await status()).values()) == [False, False]
    await withdrawn(desk, "K1")
    assert (await status())[title_id]
    found = await asked(
        desk, verb="GetRecord", metadataPrefix="marcxml", identifier=f"oai:127.0.0.1:{title_id}"
    )
    [record] = found.iter(f"{OAI}record")
    assert [one.tag for one in record] == [f"{OAI}header"]
    answer = await desk.api.insist("POST", "/v1/copies/K1/recovery", {"branch": "LFU"}, as_=STAFF)
    assert answer.status == 200
    assert not (await status())[title_id]


async def test_a_whole_harvest_while_titles_change_misses_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "AT_ONCE", 20)
    ids = [await catalogued(desk, f"Title {number}", (f"C{number}", "LFU")) for number in range(90)]
    over = asyncio.Event()

    async def change() -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            title_id = ids[-turn % 90] if turn % 2 else ids[turn % 90]
            body = {"title": f"Title {turn} anew"}
            await desk.api.insist("PATCH", f"/v1/titles/{title_id}", body, as_=STAFF)
            if turn % 7 == 0:
                ids.append(await catalogued(desk, f"Added {turn}", (f"N{turn}", "LFU")))

    def harvest(**more: str) -> tuple[str, dict[str, str]]:
        client = sickle(desk)
        begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        found: dict[str, str] = {}
        for record in client.ListRecords(metadataPrefix="oai_dc", set="LFU", **more):
            found[own(record.header.identifier)] = record.metadata["title"][0]
        return begun, found

    changing = asyncio.create_task(change())
    present = list(ids)
    begun, found = await asyncio.to_thread(harvest)
    assert set(present) <= set(found)
    over.set()
    await changing
    _, later = await asyncio.to_thread(lambda: harvest(**{"from": begun}))
    stored = {one["_id"]: one["title"] async for one in desk.run().database.titles.find()}
    assert found | later == stored
    assert len(stored) == len(ids)


async def test_a_change_that_commits_late_is_in_the_next_harvest(desk: Desk) -> None:
    """A write has its time before its commit: it may appear with a time that has been harvested."""
    titles = desk.run().database.titles
    first = await catalogued(desk, "First")
    late = await catalogued(desk, "Late")
    hidden = await titles.find_one_and_delete({"_id": late})
    second = await catalogued(desk, "Second")

    def newest(**more: str) -> dict[str, str]:
        headers = sickle(desk).ListIdentifiers(metadataPrefix="oai_dc", **more)
        return {own(one.identifier): one.datestamp for one in headers}

    found = await asyncio.to_thread(newest)
    assert found.keys() == {first, second}
    assert hidden is not None
    hidden["changed_at"] -= timedelta(seconds=30)  # another clock, and a slow transaction
    await titles.insert_one(hidden)
    assert late in await asyncio.to_thread(lambda: newest(**{"from": max(found.values())}))


async def test_titles_of_earlier_releases_are_harvested_once_noted(desk: Desk) -> None:
    title_id = await catalogued(desk, "Kite", ("K1", "LFU"))
    titles = desk.run().database.titles
    await titles.update_many({}, {"$unset": {"changed_at": 1, "held_by": 1}})
    with pytest.raises(NoRecordsMatch):
        await asyncio.to_thread(lambda: sickle(desk).ListIdentifiers(metadataPrefix="oai_dc"))
    assert [await note_changes(desk.run()), await note_changes(desk.run())] == [1, 0]
    found = await asyncio.to_thread(
        lambda: list(sickle(desk).ListIdentifiers(metadataPrefix="oai_dc", set="LFU"))
    )
    assert [own(one.identifier) for one in found] == [title_id]


async def test_wrong_requests_get_the_errors_of_the_protocol(desk: Desk) -> None:
    await catalogued(desk, "Kite\u2028")
    dc = {"metadataPrefix": "oai_dc"}
    listed = {"verb": "ListRecords"}
    for arguments, code in (
        ({}, "badVerb"),
        ({"verb": "Delete"}, "badVerb"),
        ({"verb": "Identify", "set": "LFU"}, "badArgument"),
        (listed, "badArgument"),
        ({**listed, **dc, "until": "2021"}, "badArgument"),
        ({**listed, **dc, "from": "2021-13-01"}, "badArgument"),
        ({**listed, **dc, "from": "2021-03-05", "until": "2021-03-06T00:00:00Z"}, "badArgument"),
        ({**listed, **dc, "from": "2021-03-05", "until": "2021-03-04"}, "badArgument"),
        ({**listed, **dc, "resumptionToken": "x"}, "badArgument"),
        ({**listed, "resumptionToken": "x"}, "badResumptionToken"),
        ({**listed, "resumptionToken": "WzEsMl0"}, "badResumptionToken"),
        ({"verb": "ListSets", "resumptionToken": "x"}, "badResumptionToken"),
        ({**listed, "metadataPrefix": "mods"}, "cannotDisseminateFormat"),
        ({**listed, **dc, "until": "2001-01-01"}, "noRecordsMatch"),
        ({**listed, **dc, "set": "nowhere"}, "noRecordsMatch"),
        ({"verb": "GetRecord", **dc, "identifier": "oai:elsewhere:1"}, "idDoesNotExist"),
        ({"verb": "GetRecord", **dc, "identifier": "\x00"}, "idDoesNotExist"),
        ({"verb": "ListMetadataFormats", "identifier": "kite"}, "idDoesNotExist"),
    ):
        found = await asked(desk, **arguments)
        assert [one.get("code") for one in found.iter(f"{OAI}error")] == [code], arguments
    twice = await desk.api.get("/oai?verb=Identify&verb=Identify")
    assert b'code="badVerb"' in twice.body
