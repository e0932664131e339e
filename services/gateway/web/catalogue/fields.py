"""The fields of a title and of a copy in forms: texts from the API's values, and back."""

import re
from collections.abc import Mapping
from typing import Any

from services.gateway.web import forms
from services.gateway.web.api import Failure
from services.gateway.web.languages import Language
from services.gateway.web.page_request import PageRequest

LANGUAGES = (
    *("chi", "eng", "fre", "ger", "hin", "ind", "ita", "jpn", "kor", "lat", "mul", "nep", "por"),
    *("rus", "spa", "tgl", "tha", "urd", "vie"),
)
"""Languages that can be typed by their names; others by their codes of ISO 639-2/B."""
_LINES = ("authors", "subjects", "other_titles")
_TEXTS = ("edition", "publisher", "place", "extent", "audience", "summary", "contents", "cover")
_RECORD_TEXTS = (*_TEXTS, "original_title")


_ON_FORMS = {
    "title": "title_proper",
    "languages": "title_languages",
    "price_cents": "price",
    "number": "call_number",
}
"""Names on the forms, of which others have fields of the API's names."""


def of_form(refused: Failure) -> Failure:
    """Return a refusal whose faults name the fields of the forms."""
    errors = [{**one, "field": _on_form(str(one.get("field", "")))} for one in refused.errors]
    return Failure(refused.status, refused.code, refused.detail, errors)


def _on_form(path: str) -> str:
    return ".".join(_ON_FORMS.get(part, part) for part in path.split("."))


def texts_of_title(title: Mapping[str, Any], language: Language) -> dict[str, str]:
    """Return the text of each field of the form for a title."""
    record = title["record"]
    return {
        "title_proper": title["title"],
        "kind": title["kind"],
        "isbn": title["isbn"] or "",
        "year": str(record["year"] or ""),
        "title_languages": ", ".join(language.language_name(code) for code in record["languages"]),
        "series": "\n".join(
            f"{one['title']}; {one['number']}" if one["number"] else one["title"]
            for one in record["series"]
        ),
        "identifiers": "\n".join(
            f"{one['scheme'].upper()} {one['value']}" for one in record["identifiers"]
        ),
        **{name: record[name] or "" for name in _RECORD_TEXTS},
        **{name: "\n".join({**title, **record}[name]) for name in _LINES},
    }


def title_body(request: PageRequest) -> dict[str, Any]:
    """Return the typed title as the API takes it; what is empty is null, or an empty list."""
    return {
        "title": request.text("title_proper"),
        "authors": forms.lines(request, "authors"),
        "kind": request.text("kind"),
        "isbn": request.text("isbn") or None,
        "record": {
            "languages": _languages(request),
            "year": request.number("year"),
            "series": [_series(line) for line in forms.lines(request, "series")],
            "identifiers": [_identifier(line) for line in forms.lines(request, "identifiers")],
            "subjects": forms.lines(request, "subjects"),
            "other_titles": forms.lines(request, "other_titles"),
            **{name: request.text(name) or None for name in _RECORD_TEXTS},
        },
    }


def _languages(request: PageRequest) -> list[str]:
    names = {request.language.language_name(code).casefold(): code for code in LANGUAGES}
    typed = (
        part.strip().casefold() for part in re.split("[,;、,\n]", request.text("title_languages"))
    )
    return list(dict.fromkeys(names.get(part, part) for part in typed if part))


def _series(line: str) -> dict[str, str]:
    title, _, number = (part.strip() for part in line.partition(";"))
    return {"title": title, "number": number} if number else {"title": title}


def _identifier(line: str) -> dict[str, str]:
    scheme, _, value = line.partition(" ")
    return {"scheme": scheme.strip(":").casefold(), "value": value.strip()}


def texts_of_copy(copy: Mapping[str, Any]) -> dict[str, str]:
    """Return the text of each field of the form for a copy."""
    cents, number = copy["price_cents"], copy["call_number"] or {}
    plain = ("category", "volume", "shelf_location", "collection")
    more = ("supplier", "condition", "acquired_on", "note")
    return {
        "price": "" if cents is None else f"{cents // 100}.{cents % 100:02}",
        "call_number": number.get("number", ""),
        "scheme": number.get("scheme", "ddc"),
        **{name: copy.get(name) or "" for name in (*plain, *more)},
    }


def copy_body(request: PageRequest) -> dict[str, Any]:
    """Return the typed copy as the API takes it; an amount that is none stays as it was typed."""
    number, price = request.text("call_number"), request.text("price")
    record = ("shelf_location", "collection", "supplier", "condition", "acquired_on", "note")
    cents = forms.cents(request, "price")
    return {
        "category": request.text("category"),
        "volume": request.text("volume") or None,
        "price_cents": price if price and cents is None else cents,
        "record": {
            "call_number": (
                {"number": number, "scheme": request.text("scheme") or "ddc"} if number else None
            ),
            **{name: request.text(name) or None for name in record},
        },
    }


def stored_beside(typed: forms.Fields, now: Mapping[str, str], text: str) -> forms.Fields:
    """Return a form with what is stored now beside each field in which something else was typed.

    `text` is that message in the language of the page, with `%(text)s`.
    """
    differs = {
        name: text % {"text": stored or "–"}
        for name, stored in now.items()
        if typed.text(name).splitlines() != stored.splitlines()
    }
    return forms.Fields(typed.typed, differs, typed.ids)
