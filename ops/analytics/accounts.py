"""An account as it was at an instant, from the events until then."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from ops.analytics.folder import time_zone_of
from ops.analytics.views import VIEWS, view_of
from shared.contracts import published, resource_of

Item = dict[str, Any]
TITLES = """
    SELECT title FROM title_catalogued WHERE title_id = $title AND event_time <= $at
    ORDER BY version DESC LIMIT 1
"""


class ErasedError(Exception):
    """The patron was erased; whatever the events still say of them is not shown."""


class NoSuchPatronError(Exception):
    """No event until then is about the patron."""


@dataclass(frozen=True)
class Account:
    """The loans, holds and charges of a patron, with the names and values of `GET /v1/me`."""

    loans: list[Item]
    holds: list[Item]
    charges: list[Item]


def end_of(day: date, folder: Path) -> datetime:
    """Return the last instant of a day in the time zone of a folder's days."""
    zone = ZoneInfo(time_zone_of(folder))
    return datetime.combine(day + timedelta(1), time(), zone) - timedelta(microseconds=1)


def account_at(folder: Path, patron_id: str, at: datetime) -> Account:
    """Return a patron's account at an instant. Raises ErasedError or NoSuchPatronError."""
    with duckdb.connect(str(folder / VIEWS), read_only=True) as database:
        asked = {"patron": patron_id, "at": at.astimezone(UTC)}
        erased = "SELECT count(*) FROM patron_erased WHERE patron_id = $patron"
        if database.execute(erased, {"patron": patron_id}).fetchall() != [(0,)]:
            raise ErasedError
        if not _newest(database, "patron", asked):
            raise NoSuchPatronError

        def title(title_id: str | None) -> str | None:
            found = database.execute(TITLES, {"title": title_id, "at": asked["at"]}).fetchone()
            return found[0] if found else None

        return Account(
            [
                {
                    "id": loan["loan_id"],
                    "title": title(loan["title_id"]),
                    "barcode": loan["barcode"],
                    "branch": loan["branch"],
                    "borrowed_on": loan["borrowed_on"],
                    "due_on": loan["due_on"],
                    "claimed_returned_on": loan["claimed_returned_on"],
                    "version": loan["version"],
                }
                for loan in _newest(database, "loan", asked)
                if loan["state"] == "open"
            ],
            [
                {
                    "id": hold["hold_id"],
                    "title": title(hold["title_id"]),
                    "pickup_branch": hold["pickup_branch"],
                    "state": "to-fetch" if hold["to_fetch"] else hold["state"],
                    "frozen": hold["frozen"],
                    "expires_on": hold["shelf_until" if hold["state"] == "ready" else "expires_on"],
                    "version": hold["version"],
                }
                for hold in _newest(database, "hold", asked)
                if hold["open"]
            ],
            [
                {
                    "id": charge["charge_id"],
                    "kind": charge["charge_kind"],
                    "loan_id": charge["loan_id"] or None,
                    "hold_id": charge["hold_id"],
                    "title": title(charge["title_id"]),
                    "amount_cents": charge["amount_cents"],
                    "outstanding_cents": charge["outstanding_cents"],
                    "refund_due_cents": charge["refund_due_cents"],
                }
                for charge in _newest(database, "fine", asked)
                if charge["open"]
            ],
        )


def _newest(
    database: duckdb.DuckDBPyConnection, resource: str, asked: dict[str, Any]
) -> list[Item]:
    """Return the patron's resources of a kind, each as its last event until then says."""
    contracts = {topic: one for topic, one in published().items() if resource_of(topic) == resource}
    if resource == "patron":  # links and invitations are resources of their own
        contracts = {t: one for t, one in contracts.items() if one.subject_field == "patron_id"}
    [subject] = {contract.subject_field for contract in contracts.values()}
    parts = (
        f"SELECT * FROM {view_of(topic)} WHERE patron_id = $patron AND event_time <= $at"  # noqa: S608
        for topic in contracts
    )
    found = database.execute(
        f"SELECT * FROM ({' UNION ALL BY NAME '.join(parts)}) "  # noqa: S608
        f"QUALIFY row_number() OVER (PARTITION BY {subject} ORDER BY version DESC) = 1 "
        f"ORDER BY {subject}",
        asked,
    )
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
