"""The XML documents of OAI-PMH 2.0 and of the records in them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

import pymarc

from services.circulation.catalogue.formats.marc_written import written
from services.circulation.harvest.queries import Harvested, Part
from services.circulation.harvest.rules import (
    PREFIXES,
    Fault,
    Listing,
    datestamp,
    is_deleted,
    libraries_of,
)
from services.circulation.rules.title import Title

OAI = "http://www.openarchives.org/OAI/2.0/"
OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
IDENTIFIER = "http://www.openarchives.org/OAI/2.0/oai-identifier"
DC = "http://purl.org/dc/elements/1.1/"
MARC = "http://www.loc.gov/MARC21/slim"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
_FORMATS: Mapping[str, tuple[str, str]] = {
    "oai_dc": ("http://www.openarchives.org/OAI/2.0/oai_dc.xsd", OAI_DC),
    "marcxml": ("http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd", MARC),
}
"""Schema and namespace of each format of records."""
_SCHEMAS = {
    OAI: "http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd",
    IDENTIFIER: "http://www.openarchives.org/OAI/2.0/oai-identifier.xsd",
    **{namespace: schema for schema, namespace in _FORMATS.values()},
}
for _prefix, _namespace in (
    ("", OAI),
    ("oai_dc", OAI_DC),
    ("dc", DC),
    ("marc", MARC),
    ("oai-identifier", IDENTIFIER),
    ("xsi", XSI),
):
    ET.register_namespace(_prefix, _namespace)
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow, such as control characters."""


@dataclass(frozen=True)
class Repository:
    """The catalogue as harvesters see it."""

    site: str
    """Address of the pages, without a slash at the end."""
    email: str
    now: datetime

    @property
    def url(self) -> str:
        """The address of the protocol."""
        return f"{self.site}/oai"

    @property
    def namespace(self) -> str:
        """The domain name in the identifiers of records."""
        return urlsplit(self.site).hostname or "localhost"

    def identifier(self, title_id: str) -> str:
        """Return the identifier of a record, by the guidelines for `oai:` identifiers."""
        return f"oai:{self.namespace}:{title_id}"

    def title_id(self, identifier: str) -> str:
        """Return the id of the title in an identifier; empty if it is none of this catalogue."""
        begin = self.identifier("")
        return identifier.removeprefix(begin) if identifier.startswith(begin) else ""


def document(
    repository: Repository, asked: Mapping[str, str], content: Iterable[ET.Element] | Fault
) -> bytes:
    """Return a response with its content, or with an error of the protocol."""
    root = _described(ET.Element(_in(OAI, "OAI-PMH")), OAI)
    _add(root, "responseDate", _utc(repository.now))
    wrong = isinstance(content, Fault) and content.code in ("badVerb", "badArgument")
    request = _add(root, "request", repository.url)
    for name, value in {} if wrong else asked.items():
        request.set(name, _clean(value))
    if isinstance(content, Fault):
        _add(root, "error", content.reason).set("code", content.code)
    else:
        ET.SubElement(root, _in(OAI, asked["verb"])).extend(content)
    text: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text


def identify(repository: Repository, earliest: datetime) -> list[ET.Element]:
    """Return the description of the repository."""
    described = ET.Element(_in(OAI, "description"))
    within = ET.SubElement(described, _in(IDENTIFIER, "oai-identifier"))
    _described(within, IDENTIFIER)
    for name, value in (
        ("scheme", "oai"),
        ("repositoryIdentifier", repository.namespace),
        ("delimiter", ":"),
        ("sampleIdentifier", repository.identifier("0176022c-1d40-7c51-9a0e-5b7f3e0a4c11")),
    ):
        ET.SubElement(within, _in(IDENTIFIER, name)).text = value
    return [
        *_elements(
            repositoryName="Library catalogue",
            baseURL=repository.url,
            protocolVersion="2.0",
            adminEmail=repository.email,
            earliestDatestamp=_utc(earliest),
            deletedRecord="persistent",
            granularity="YYYY-MM-DDThh:mm:ssZ",
        ),
        described,
    ]


def formats() -> list[ET.Element]:
    """Return the formats of records."""
    found = []
    for prefix in PREFIXES:
        schema, namespace = _FORMATS[prefix]
        each = ET.Element(_in(OAI, "metadataFormat"))
        each.extend(_elements(metadataPrefix=prefix, schema=schema, metadataNamespace=namespace))
        found.append(each)
    return found


def sets(libraries: Iterable[str]) -> list[ET.Element]:
    """Return a set for each library, by its code."""
    found = []
    for code in sorted(libraries):
        each = ET.Element(_in(OAI, "set"))
        each.extend(_elements(setSpec=code, setName=code))
        found.append(each)
    return found


def records(
    repository: Repository, part: Part, wanted: Listing, *, whole: bool
) -> list[ET.Element]:
    """Return a part of a list, `whole` with the data of the records, and its resumption token."""
    found = [
        record(repository, each, wanted.prefix, wanted.library)
        if whole
        else _header(repository, each, wanted.library)
        for each in part.records
    ]
    if part.rest or wanted.after:
        token = ET.Element(_in(OAI, "resumptionToken"), cursor=str(wanted.count))
        token.text = part.rest.token if part.rest else None
        found.append(token)
    return found


def record(
    repository: Repository, harvested: Harvested, prefix: str, library: str | None = None
) -> ET.Element:
    """Return a record in a format; a deleted one has no data."""
    found = ET.Element(_in(OAI, "record"))
    found.append(_header(repository, harvested, library))
    if not is_deleted(harvested.copies, library):
        metadata = ET.SubElement(found, _in(OAI, "metadata"))
        metadata.append(
            _dublin_core(repository, harvested.title) if prefix == "oai_dc" else _marc(harvested)
        )
    return found


def _header(repository: Repository, harvested: Harvested, library: str | None) -> ET.Element:
    header = ET.Element(_in(OAI, "header"))
    if is_deleted(harvested.copies, library):
        header.set("status", "deleted")
    stamp = datestamp(harvested.changed_at, repository.now)
    header.extend(
        _elements(identifier=repository.identifier(harvested.title.id), datestamp=_utc(stamp))
    )
    for code in libraries_of(harvested.copies):
        _add(header, "setSpec", code)
    return header


def _dublin_core(repository: Repository, title: Title) -> ET.Element:
    """Return a title in simple Dublin Core (DCMES 1.1)."""
    said = title.record
    site, title_id = repository.site, quote(title.id, safe="")
    isbn = [f"urn:isbn:{title.isbn}"] if title.isbn else []
    others = [f"urn:{one.scheme}:{one.value}" for one in said.identifiers if one.scheme != "ean"]
    parts: Mapping[str, Sequence[str | None]] = {
        "title": (title.title, *said.other_titles, said.original_title),
        "creator": title.authors,
        "subject": said.subjects,
        "description": (said.summary, said.contents),
        "publisher": (said.publisher,),
        "date": (str(said.year) if said.year else None,),
        "type": (title.kind,),
        "format": (said.extent,),
        "identifier": (*dict.fromkeys(isbn + others), f"{site}/catalogue/{title_id}"),
        "language": said.languages,
        "relation": [each.title for each in said.series],
    }
    found = _described(ET.Element(_in(OAI_DC, "dc")), OAI_DC)
    for name, values in parts.items():
        for value in filter(None, values):
            ET.SubElement(found, _in(DC, name)).text = _clean(value)
    return found


def _marc(harvested: Harvested) -> ET.Element:
    """Return the record that was imported with later changes, or a new one, as MARCXML."""
    marc = written(harvested.title, harvested.copies, harvested.kept)
    found: ET.Element = pymarc.record_to_xml_node(marc)  # type: ignore[no-untyped-call]
    for each in found.iter():
        each.tag = _in(MARC, each.tag)
        each.text = each.text and _clean(each.text)
    return _described(found, MARC)


def _elements(**texts: str) -> list[ET.Element]:
    found = []
    for name, text in texts.items():
        element = ET.Element(_in(OAI, name))
        element.text = _clean(text)
        found.append(element)
    return found


def _add(parent: ET.Element, name: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, _in(OAI, name))
    element.text = _clean(text)
    return element


def _described(element: ET.Element, namespace: str) -> ET.Element:
    """Name the schema of an element's namespace; return the element."""
    element.set(_in(XSI, "schemaLocation"), f"{namespace} {_SCHEMAS[namespace]}")
    return element


def _in(namespace: str, name: str) -> str:
    return f"{{{namespace}}}{name}"


def _clean(text: str) -> str:
    return _NOT_XML.sub("", text)


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
