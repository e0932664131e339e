"""The page that draws every component with its states, in a simulation alone."""

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from fastapi import Response
from markupsafe import Markup

from services.gateway.web import forms
from services.gateway.web.api import Failure
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.page_request import Anyone
from services.gateway.web.pages import Pages

router = Pages()

SCHEMES = ("light", "dark")
IDS = re.compile(r'( (?:id|for|aria-labelledby|aria-describedby)="|href="#)([^"]+)')
DAY, MOMENT = "2021-03-05", "2021-02-26T10:00:00+08:00"
LONG = "紅樓夢：中國古典文學讀本叢書 The Dream of the Red Chamber, with a Preface and Notes"
CENTRAL = {"HKCL": "Hong Kong Central Library", "STPL": "Sha Tin Public Library"}


def _title(**more: Any) -> dict[str, Any]:
    record = {"year": 2008, "languages": ["chi"]}
    return {
        "id": "dream",
        "title": LONG,
        "authors": ["曹雪芹"],
        "kind": "book",
        "record": record,
        "call_number": "857.49 5514",
        "free": [],
        "others": [],
        "waiting": 0,
        "likely": None,
        "hold": None,
        "copies": 5,
        "available": 0,
        **more,
    }


def _hold(state: str, **more: Any) -> dict[str, Any]:
    hold = {"title": LONG, "volume": None, "any_edition": False, "state": state, "frozen": False}
    return {**hold, "position": None, "expires_on": None, **more}


def _fine(**more: Any) -> dict[str, Any]:
    fine = {"per_day_cents": 150, "suspended": False, "resumes_on": None, "amount_cents": 0}
    return {**fine, **more}


COLUMN = {"label": "Title"}
ACT = {"name": "fetch", "key": "id", "label": "Reserve", "noted": True, "at_once": ""}
SAMPLES: dict[str, Any] = {
    "branches": CENTRAL,
    "home": "HKCL",
    "long": LONG,
    "day": DAY,
    "sources": {
        "accounts": {"live": False, "as_of": MOMENT},
        "circulation": {"live": False},
    },
    "found_titles": [
        _title(free=list(CENTRAL.values()), available=2),
        _title(others=list(CENTRAL.values()), waiting=3, likely=DAY),
        _title(others=["Hong Kong Central Library"], hold="waiting"),
        _title(copies=0),
    ],
    "fine": {
        "amount_cents": 450,
        "spans": [
            {
                "from": DAY,
                "to": "2021-03-07",
                "days": 3,
                "disposition": disposition,
                "amount_cents": 450 if disposition == "charged" else 0,
                "cause": {"kind": "closure", "reason": "COVID-19"},
            }
            for disposition in ("charged", "suspended", "closed", "grace", "capped")
        ],
    },
    "no_fine": {"amount_cents": 0, "spans": []},
    "fines": [
        _fine(),
        _fine(suspended=True),
        _fine(suspended=True, resumes_on=DAY),
        _fine(amount_cents=450),
    ],
    "events": [
        {"id": "talk", "title": LONG, "starts_at": MOMENT, "venue": "", "branch": "HKCL"},
        {"id": "walk", "title": "紙與墨", "starts_at": MOMENT, "venue": "Room 2", "branch": "HKCL"},
    ],
    "holds": [
        _hold("ready", expires_on=DAY),
        *(_hold(state) for state in ("to-fetch", "in-transit", "waiting")),
        _hold("waiting", position=1, volume="2"),
        _hold("waiting", position=3, any_edition=True, expires_on=DAY),
        _hold("waiting", frozen=True),
    ],
    "refused": Failure(422, "malformed"),
    "form": forms.Fields(),
    "faulty": forms.Fields(
        faults=dict.fromkeys(("email", "files", "kinds", "branch"), forms.FILL_IN)
    ),
    "address": {"lines": ["1 Sai Yeung Choi Street"], "locality": "Mong Kok", "country": ""},
    "listed": SimpleNamespace(
        columns=[COLUMN, {"label": "Library"}],
        acts=[ACT],
        searched="Title",
        other_label="Library",
        spans={"7": {"label": "Days"}},
    ),
    "listed_rows": [
        (
            {"id": str(n), "barcode": f"300{n}"},
            [{"text": LONG, "href": "#main"}, {"text": "HKCL", "href": ""}],
        )
        for n in (1, 2)
    ],
    "chosen": SimpleNamespace(q="", library="", span="7", query={}),
    "groups": [("Today", ["late", "lost", "many"])],
    "lists": {name: {"title": "Reserved", "counted": ""} for name in ("late", "lost", "many")},
    "counts": {"late": None, "lost": 12, "many": 1001},
}


@router.get("/design")
async def get_design(request: Anyone) -> Response:
    """Draw each component in light and dark and in each language; 404 outside a simulation."""
    if not request.http.app.state.settings.simulation:
        raise Failure(404, "not-found")
    drawn = {}
    for language in LANGUAGES.values():
        answer = replace(request, language=language).page("design/components.html", **SAMPLES)
        drawn[language] = bytes(answer.body).decode()
    return request.page(
        "design/design.html",
        drawings=[
            (scheme, language, Markup(IDS.sub(rf"\1\2-{scheme}-{language.code}", html)))  # noqa: S704
            for scheme in SCHEMES
            for language, html in drawn.items()
        ],
    )
