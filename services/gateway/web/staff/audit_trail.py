"""Page of the audit trail, for operators: who of staff and machines did what, in sentences."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import Response

from services.gateway.web.account_names import account_names
from services.gateway.web.page_request import OverseerRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.staff.acts import OTHER, PREVIEW, SENTENCES, sentence_of
from services.gateway.web.staff.desk import ROLES
from services.registry import NAMES
from shared.translations import marked

router = Pages(
    menus={"ops": [("/audit-trail", marked("Audit trail"))]},
)


SERVICES = {
    "accounts": marked("Accounts and log-ins"),
    "circulation": marked("Loans, reservations and charges"),
    "events": marked("Activities and study rooms"),
    "notices": marked("Libraries, notices and questions"),
    "gateway": marked("Account views"),
}
"""Names of the parts of the library's system, each with a trail of its own."""
WHO = {**ROLES, "patron": marked("Reader"), "service": marked("Service")}
UNKNOWN, A_READER = marked("Somebody unknown"), marked("a reader")
MOST_NAMED = 3
"""Number of people whom a sentence names."""


@router.get("/audit-trail")
async def get_audit_trail(
    request: OverseerRequest,
    *,
    service: str = "",
    by: str = "",
    about: str = "",
    act: str = "",
    day: str = "",
    after: str = "",
) -> Response:
    """List the acts that one service recorded, the newest first."""
    service = service if service in NAMES else NAMES[0]
    query = {"by": by.strip(), "about": about.strip(), "act": act, "after": after}
    asked = {name: text for name, text in query.items() if text} | _hours(request, day)
    listed, staff = await asyncio.gather(
        request.api.get(f"/v1/ops/audit-trail/{service}", **asked),
        request.api.get("/v1/staff", limit="200"),
    )
    found = listed.json()
    items = found["items"]
    ids = {one for item in items for one in (item["by"], *item["objects"])}
    names = await account_names(request.api, {*ids, by.strip(), about.strip()})
    return request.page(
        "staff/audit-trail.html",
        services=SERVICES,
        service=service,
        asked=query | {"day": day},
        staff=staff.json()["items"] if staff.done else [],
        kinds=_kinds(request),
        days=_by_day(request, items, names),
        names=names,
        older=urlencode({"service": service, **query, "day": day, "after": found["next"]})
        if found["next"]
        else "",
    )


def _hours(request: PageRequest, day: str) -> dict[str, str]:
    """Return the beginning and the end of a library day; nothing if no day was chosen."""
    try:
        begins = datetime.combine(date.fromisoformat(day), time(), request.zone)
    except ValueError:
        return {}
    return {"since": begins.isoformat(), "until": (begins + timedelta(days=1)).isoformat()}


def _kinds(request: PageRequest) -> list[tuple[str, str]]:
    """Return the acts to choose from with their sentences, in the order of these."""
    blank = {"who": "…", "whom": "…"}
    texts = {act: request.language.say(text) % blank for act, text in SENTENCES.items()}
    return sorted(texts.items(), key=lambda each: each[1])


def _by_day(
    request: PageRequest,
    items: Sequence[Mapping[str, Any]],
    names: Mapping[str, Mapping[str, Any]],
) -> dict[date, list[dict[str, Any]]]:
    """Return the entries with their sentences, by library day."""
    days: dict[date, list[dict[str, Any]]] = {}
    for item in items:
        at = datetime.fromisoformat(item["at"]).astimezone(request.zone)
        entry = {**item, "clock": f"{at:%H:%M}", "sentence": _sentence(request, item, names)}
        entry["people"] = [one for one in item["objects"] if one in names and one != item["by"]]
        entry["preview"] = item["act"].endswith(PREVIEW)
        days.setdefault(at.date(), []).append(entry)
    return days


def _sentence(
    request: PageRequest, item: Mapping[str, Any], names: Mapping[str, Mapping[str, Any]]
) -> str:
    say = request.language.say
    who = names[item["by"]]["name"] if item["by"] in names else item["by"] or say(UNKNOWN)
    if item["roles"]:
        role = say(WHO.get(item["roles"][-1], item["roles"][-1]))
        who = f"{who} ({role})"
    people = [names[one]["name"] for one in item["objects"] if one in names and one != item["by"]]
    more = f" +{len(people) - MOST_NAMED}" if len(people) > MOST_NAMED else ""
    whom = ", ".join(people[:MOST_NAMED]) + more or say(A_READER)
    text = sentence_of(item["act"])
    named = f": {whom}" if people and "%(whom)s" not in text and text != OTHER else ""
    return say(text) % {"who": who, "whom": whom, "act": item["act"]} + named
