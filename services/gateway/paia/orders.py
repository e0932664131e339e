"""Methods of PAIA core that request, renew and cancel documents.

A document that can't be requested, renewed or cancelled is no error of the call: it is answered
with the reason.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from services.gateway.paia import documents
from services.gateway.paia.calls import LONGEST, Call
from services.gateway.paia.documents import NONE, REJECTED, STORAGE, Row, ids_in
from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branches_by_code

MOST_DOCUMENTS = 20
"""Number of documents in one call: commands are sent one after another, within one request."""

Text = Annotated[str, StringConstraints(max_length=LONGEST)]
Document = dict[str, Any]
Pair = tuple[Row, Document]
"""A loan or a hold of the API, and its document."""


class Wanted(BaseModel):
    """A document as a client names it: by the URI of a copy or a hold, or of a title."""

    item: Text | None = None
    edition: Text | None = None
    confirm: dict[Text, Annotated[list[Text], Field(max_length=50)]] | None = None

    @property
    def uris(self) -> dict[str, str]:
        """The URIs that the client has given, by name of the field."""
        given = {"item": self.item, "edition": self.edition}
        return {name: one for name, one in given.items() if one}

    @property
    def title(self) -> tuple[str, str]:
        """Id of the title, and barcode of the copy if one is named; "" if there is none."""
        return ids_in(self.item, "copy") if self.item else ids_in(self.edition or "", "title")

    def found_in(self, pairs: Sequence[Pair]) -> Pair | None:
        """Return the first pair of which the document has all these URIs; None: there is none."""
        uris = self.uris.items()
        return next((one for one in pairs if uris and uris <= one[1].items()), None)


class _Body(BaseModel):
    doc: Annotated[list[Wanted], Field(min_length=1, max_length=MOST_DOCUMENTS)]


def _wanted(call: Call) -> list[Wanted]:
    try:
        return _Body.model_validate(dict(call.fields)).doc
    except ValidationError:
        raise Failure(422, "malformed") from None


async def known(call: Call) -> tuple[list[Pair], list[Pair], Mapping[str, Row]]:
    """Return the loans and the holds of the patron with their documents, and the libraries."""
    loans, holds, branches = await asyncio.gather(
        call.rows("/v1/me/loans"), call.rows("/v1/me/holds"), branches_by_code(call.api)
    )
    held: list[Pair] = [(loan, documents.of_loan(loan, branches)) for loan in loans]
    return held, [(hold, documents.of_hold(hold, branches)) for hold in holds], branches


async def request(call: Call) -> Document:
    """Reserve titles, each for collection at the library that the client confirms.

    Without a confirmation it is the patron's home library. A copy stands for its title and volume:
    any copy of them serves the patron.
    """
    wanted = _wanted(call)
    ids = [title_id for one in wanted if (title_id := one.title[0])]
    overview, branches, found = await asyncio.gather(
        call.api.get("/v1/me"),
        branches_by_code(call.api),
        call.api.get("/v1/title-copies", id=ids),
    )
    titles = {title["id"]: title for title in found.json()["items"]}
    if not branches:
        raise Failure(503, "unavailable")
    home = overview.json()["patron"]["home_branch"] if overview.done else None
    return await _each(call, wanted, lambda one: _reserved(call, one, titles, branches, home))


async def _each(
    call: Call, wanted: Sequence[Wanted], act: Callable[[Wanted], Awaitable[Document]]
) -> Document:
    """Answer with each document; after the first has succeeded, a failure is one of its document.

    So the client learns what was done.
    """
    done: list[Document] = []
    for one in wanted:
        try:
            done.append(await act(one))
        except Failure as failure:
            if not done:
                raise
            done.append({**one.uris, "status": NONE, "error": call.reason(failure)})
    return {"doc": done}


async def _reserved(
    call: Call,
    wanted: Wanted,
    titles: Mapping[str, Row],
    branches: Mapping[str, Row],
    home: str | None,
) -> Document:
    title, volume = _title(wanted, titles)
    if title is None:
        return _failed(call, wanted.uris | {"status": NONE}, "no-document")
    asked = {**wanted.uris, "about": title["title"]}
    chosen = documents.confirmed(documents.pickup(branches, home), wanted.confirm)
    # A preview comes first: a refusal at every library needs no choice of one.
    trial = {} if chosen else {"preview": "true"}
    branch = ids_in(chosen[STORAGE], "branch")[0] if chosen else home or ""
    branch = branch if branch in branches else next(iter(branches))
    hold = {"title_id": title["id"], "volume": volume, "pickup_branch": branch}
    reply = await call.api.send("POST", "/v1/holds", hold, **trial)
    if not reply.done:
        why = call.reason(reply.refusal(404, 409, 422), "reserve")
        now = documents.seconds(call.now.isoformat())
        return asked | {"status": REJECTED, "starttime": now, "error": why}
    if trial:
        unmet = _failed(call, asked | {"status": NONE}, "choose-pickup")
        fee_cents = reply.json()["fee_cents"]
        return unmet | {"condition": documents.pickup(branches, home, fee_cents, branch)}
    placed = documents.of_hold(reply.json() | {"title": title["title"]}, branches)
    return placed | {"requested": wanted.item or wanted.edition}


def _title(wanted: Wanted, titles: Mapping[str, Row]) -> tuple[Row | None, str | None]:
    """Return the title of a wanted document, and the volume of the wanted copy, if it is one."""
    title_id, barcode = wanted.title
    title = titles.get(title_id)
    if title is None or not barcode:
        return title, None
    volumes = [copy["volume"] for copy in title["copies"] if copy["barcode"] == barcode]
    return (title, volumes[0]) if volumes else (None, None)


async def renew(call: Call) -> Document:
    """Renew loans. One that is overdue is renewed if the client confirms its fine."""
    wanted = _wanted(call)
    held, reserved, branches = await known(call)
    found = [(one, one.found_in(held)) for one in wanted]
    tried = await _renewals(call, [pair[0]["id"] for _, pair in found if pair], preview="true")
    fines = {
        loan_id: documents.agreement(one["effect"]["fine_cents"], call.language)
        for loan_id, one in tried.items()
        if one["ok"]
    }
    confirms = {pair[0]["id"]: one.confirm for one, pair in found if pair}
    met = [one for one in fines if documents.confirmed(fines[one], confirms[one]) is not None]
    results = tried | await _renewals(call, met)

    def renewed(one: Wanted, pair: Pair | None) -> Document:
        if pair is None:
            return _not_found(call, one, reserved)
        loan, document = pair
        result = results[loan["id"]]
        if not result["ok"]:
            refused = result["problem"]
            why = Failure(409, refused["code"], ways_out=refused["ways_out"])
            return document | {"error": call.reason(why, "renew")}
        if loan["id"] not in met:
            return _failed(call, document, "renewal-fine") | {"condition": fines[loan["id"]]}
        return documents.of_loan({**loan, **result["loan"]}, branches)

    return {"doc": [renewed(*one) for one in found]}


async def _renewals(call: Call, loan_ids: Sequence[str], **query: str) -> dict[str, Document]:
    """Renew loans or try it out, in one request; return the results by id of the loan."""
    if not loan_ids:
        return {}
    body = {"loan_ids": list(dict.fromkeys(loan_ids))}
    reply = await call.api.send("POST", "/v1/me/renewals", body, **query)
    return {result["loan_id"]: result for result in reply.json()["results"]}


async def cancel(call: Call) -> Document:
    """Cancel holds. A loan is returned, not cancelled."""
    wanted = _wanted(call)
    held, reserved, _ = await known(call)
    return await _each(call, wanted, lambda one: _cancelled(call, one, reserved, held))


async def _cancelled(
    call: Call, wanted: Wanted, reserved: Sequence[Pair], held: Sequence[Pair]
) -> Document:
    pair = wanted.found_in(reserved)
    if pair is None:
        return _not_found(call, wanted, held)
    hold, document = pair
    reply = await call.api.send("DELETE", f"/v1/holds/{segment(hold['id'])}")
    if not reply.done:
        return document | {"error": call.reason(reply.refusal(404, 409))}
    left = {name: document[name] for name in ("item", "edition", "about") if name in document}
    return left | {"status": NONE, "cancancel": False, "canrenew": False}


def _not_found(call: Call, wanted: Wanted, others: Sequence[Pair]) -> Document:
    """Return a document that can't be renewed or cancelled; `others` may have its status."""
    pair = wanted.found_in(others)
    return _failed(call, pair[1] if pair else wanted.uris | {"status": NONE}, "no-document")


def _failed(call: Call, document: Document, code: str) -> Document:
    return document | {"error": call.reason(Failure(409, code))}
