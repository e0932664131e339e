"""The route of OAI-PMH 2.0."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

from fastapi import APIRouter, Request, Response

from services.circulation.calendars import store as calendars_store
from services.circulation.harvest import queries, store
from services.circulation.harvest.routes import documents
from services.circulation.harvest.rules import Fault, arguments, datestamp, listing
from services.circulation.settings import Settings
from services.registry import SERVICES
from shared.clock import wall_clock
from shared.http.dependencies import Db
from shared.mongo import Database

router = APIRouter()

MOST_ARGUMENTS = 20
_USUAL_SITE = next(service.url("http") for service in SERVICES if service.name == "gateway")


@router.get("/oai", response_class=Response)
async def get_oai(request: Request, db: Db) -> Response:
    """Harvest the catalogue by OAI-PMH 2.0, as `oai_dc` or `marcxml`."""
    return await _answer(request, db, request.query_params.multi_items())


@router.post("/oai", include_in_schema=False)
async def post_oai(request: Request, db: Db) -> Response:
    """Answer the same requests with their arguments in a form, as the protocol asks."""
    form = (await request.body()).decode("utf-8", "replace")
    return await _answer(request, db, parse_qsl(form, keep_blank_values=True))


async def _answer(request: Request, db: Database, given: Sequence[tuple[str, str]]) -> Response:
    settings: Settings = request.app.state.settings
    site = settings.public_url or _USUAL_SITE
    repository = documents.Repository(site, settings.oai_email, wall_clock())
    asked: Mapping[str, str] = {}
    content: Sequence[ET.Element] | Fault
    try:
        asked = arguments(given[:MOST_ARGUMENTS])
        content = await _content(repository, db, asked)
    except Fault as fault:
        content = fault
    body = documents.document(repository, asked, content)
    return Response(body, media_type="text/xml; charset=utf-8")


async def _content(
    repository: documents.Repository, db: Database, asked: Mapping[str, str]
) -> Sequence[ET.Element]:
    match asked["verb"]:
        case "Identify":
            return documents.identify(repository, await _earliest(db, repository.now))
        case "ListSets":
            if "resumptionToken" in asked:
                raise Fault("badResumptionToken", "The list of sets has one part.")
            return documents.sets(await calendars_store.find(db))
        case "ListMetadataFormats":
            if "identifier" in asked:
                await _record(repository, db, asked["identifier"])
            return documents.formats()
        case "GetRecord":
            found = await _record(repository, db, asked["identifier"])
            return [documents.record(repository, found, asked["metadataPrefix"])]
        case verb:
            wanted, whole = listing(asked), verb == "ListRecords"
            part = await queries.find_part(db, wanted, whole=whole)
            return documents.records(repository, part, wanted, whole=whole)


async def _record(
    repository: documents.Repository, db: Database, identifier: str
) -> queries.Harvested:
    title_id = repository.title_id(identifier)
    found = await queries.find_record(db, title_id) if title_id else None
    if found is None:
        raise Fault("idDoesNotExist", "There is no such record.")
    return found


async def _earliest(db: Database, now: datetime) -> datetime:
    """Return a date before which no record was changed."""
    first = await store.find_changed(db, branch=None, since=None, before=None, after=None, limit=1)
    return datestamp(first[0][1], now) if first else now
