"""The import of lines of a CSV file as patrons.

Lines are checked with the model of the API's requests: an import accepts what the API accepts.
Cards are looked up in the database of accounts: the API finds only one at a time.
"""

import csv
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TextIO

from pydantic import SecretStr

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import normal_card
from services.accounts.patrons.commands.records import (
    ImportPatrons,
    Outcome,
    RegisterPatron,
    import_patrons,
)
from services.accounts.patrons.routes.models import PatronIn
from services.accounts.preferences import store as preferences_store
from services.accounts.sign_in.commands.hashes import hash_pin
from shared.ids import card_digest
from shared.mongo import Database
from shared.unit_of_work import Origin, UnitOfWork

COLUMNS = ("card_number", "name", "category", "home_branch", "language")
LINES = ("address_1", "address_2", "address_3")
OPTIONAL = ("pin", "email", "phone", "card_expires_on", *LINES, "locality", "country")
NO_PIN = SecretStr("")

Batch = dict[int, PatronIn]
"""Patrons by the number of their line."""


def count(path: Path) -> int:
    """Return the number of lines without the heading. A name with a line break counts twice."""
    with path.open("rb") as file:
        return max(sum(1 for _ in file) - 1, 0)


def check_heading(path: Path) -> None:
    """Raise ValueError if a column is missing or unknown."""
    with _opened(path) as file:
        heading = set(csv.DictReader(file).fieldnames or ())
    if missing := set(COLUMNS) - heading:
        raise ValueError(f"the heading lacks {', '.join(sorted(missing))}")
    if unknown := heading - {*COLUMNS, *OPTIONAL}:
        raise ValueError(
            f"the heading has {', '.join(sorted(unknown))}, which are no columns of an import"
        )


def rows(path: Path) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Yield the number of each line and its values by column; None if it doesn't fit."""
    with _opened(path) as file:
        reader = csv.DictReader(file)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:  # a field without an end, or a zero byte
                yield reader.line_num, None
            else:
                fits = None not in row and None not in row.values()
                yield reader.line_num, row if fits else None


def _opened(path: Path) -> TextIO:
    """Open as UTF-8, with or without a byte order mark; a line with other bytes is refused."""
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def patron_of(row: dict[str, str]) -> PatronIn:
    """Return the patron of a line by the API's rules; a PIN is optional. Raises ValueError."""
    pin = row.get("pin", "").strip()
    checked = PatronIn.model_validate(
        {
            **{name: row[name].strip() for name in COLUMNS},
            "pin": pin or "000000",
            "card_expires_on": row.get("card_expires_on", "").strip() or None,
            "contact": {
                name: row[name].strip() for name in ("email", "phone") if row.get(name, "").strip()
            }
            | _postal(row),
        }
    )
    return checked if pin else checked.model_copy(update={"pin": NO_PIN})


def _postal(row: dict[str, str]) -> dict[str, Any]:
    """Return the postal address of a line, if it has one."""
    lines = [line for name in LINES if (line := row.get(name, "").strip())]
    rest = {name: row[name] for name in ("locality", "country") if row.get(name, "").strip()}
    return {"postal_address": {"lines": lines, **rest}} if lines or rest else {}


async def save(
    unit: UnitOfWork, patrons: list[PatronIn], card_key: str, origin: Origin
) -> list[Outcome]:
    """Save these patrons in one transaction; return the outcome of each."""
    command = ImportPatrons(await _commands_for(unit.database, patrons, card_key))
    outcomes, _ = await unit.run(import_patrons, command, origin, within=60)
    return outcomes or []


async def unknown_libraries(db: Database, codes: Collection[str]) -> set[str]:
    """Return which of these codes are no registered library."""
    return {code for code in codes if not await preferences_store.is_branch(db, code)}


async def _commands_for(
    db: Database, patrons: list[PatronIn], card_key: str
) -> tuple[RegisterPatron, ...]:
    """Return the commands for these patrons. Hashing is slow: only new cards' PINs are hashed."""
    known = await cardholders_store.find_known_cards(db, [patron.card_number for patron in patrons])
    return tuple(
        [
            RegisterPatron(
                card_number=patron.card_number,
                card_digest=card_digest(patron.card_number, card_key),
                pin_hash=(
                    await hash_pin(patron.pin.get_secret_value())
                    if patron.pin.get_secret_value()
                    and normal_card(patron.card_number) not in known
                    else ""
                ),
                name=patron.name,
                category=patron.category,
                home_branch=patron.home_branch,
                language=patron.language,
                email=patron.contact.email,
                phone=patron.contact.phone,
                postal_address=patron.contact.postal,
                card_expires_on=patron.card_expires_on,
            )
            for patron in patrons
        ]
    )
