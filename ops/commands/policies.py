"""`carrel policies`: list and change the policy rows for loans, and show all their versions.

It runs the use cases of the API's routes on the database, with the same checks: the API asks for an
account of staff, and this command works without an account and without a running service.
"""

import asyncio
import json
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError

from ops.console import AsJson, explain_outages, print_json, print_table, refuse
from ops.direct import operator_name, origin_of, unit_of_work_at
from ops.target import Data, settings_of, settings_to_write
from services.circulation.policies import store as policies_store
from services.circulation.policies.commands import (
    DeletePolicy,
    SetPolicy,
    delete_policy,
    set_policy,
)
from services.circulation.policies.routes import PolicyIn
from services.circulation.refusals import Refusal
from services.circulation.rules.policy import Policy, PolicyChange
from services.settings import Settings
from shared.mongo import plain

TERMS = tuple(field.name for field in fields(Policy) if field.name not in ("id", "version"))
"""The fields of a row that an operator can set."""
MOST_CHANGES = 10_000

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

PolicyId = Annotated[str, typer.Argument(metavar="ID", help="Id of the row, such as `default`.")]
Reason = Annotated[str, typer.Option("--reason", help="Reason, stored with the change.")]


@app.callback()
def policies() -> None:
    """The policy rows: loan periods, limits and fines."""


@app.command("list")
def list_command(as_json: AsJson = False, data: Data = None) -> None:
    """List the rows in force."""
    settings = settings_of(data)
    with explain_outages(settings):
        rows = asyncio.run(_rows(settings))
    if as_json:
        print_json({"policies": [plain(row) for row in rows]})
        return
    columns = ("id", "version", "patron", "copy", "branch", "days", "renewals", "a day", "cap")
    print_table(columns, [_shown(row) for row in rows])


@app.command("set")
def set_command(
    policy_id: PolicyId,
    terms: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FIELD=VALUE]…",
            help="Changed fields: loan_days=21, fine_cap_cents=null; others stay.",
        ),
    ] = None,
    *,
    reason: Reason,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="The whole row as a JSON object.", exists=True, dir_okay=False),
    ] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Put a row in force for new loans. Existing loans keep theirs."""
    if bool(terms) == (file is not None):
        raise typer.BadParameter("give either FIELD=VALUE or --file")
    settings = settings_to_write(data)
    with explain_outages(settings):
        row = asyncio.run(
            _set(settings, policy_id, _changes(terms, file), reason, whole=bool(file))
        )
    if as_json:
        print_json(plain(row))
    else:
        typer.echo(f"Policy {row.id} is in force as version {row.version}.")


@app.command("delete")
def delete_command(policy_id: PolicyId, *, reason: Reason, data: Data = None) -> None:
    """Delete a row for new loans. Existing loans keep it."""
    settings = settings_to_write(data)
    with explain_outages(settings):
        change = asyncio.run(_delete(settings, policy_id, reason))
    typer.echo(f"Policy {change.policy_id} is deleted, as version {change.version}.")


@app.command("history")
def history_command(policy_id: PolicyId, as_json: AsJson = False, data: Data = None) -> None:
    """Show every version of a row with its terms, date, author and reason."""
    settings = settings_of(data)
    with explain_outages(settings):
        changes = asyncio.run(_history(settings, policy_id))
    if not changes:
        refuse(f"No policy {policy_id} was ever set. `carrel policies list` shows those in force.")
    if as_json:
        print_json({"changes": [plain(change) for change in changes]})
        return
    rows = [
        (change.version, change.at.isoformat(timespec="seconds"), change.by, _said(change))
        for change in changes
    ]
    print_table(("version", "at", "by", "reason and terms"), rows)


def _shown(row: Policy) -> tuple[Any, ...]:
    cap = "none" if row.fine_cap_cents is None else f"${row.fine_cap_cents / 100:,.2f}"
    return (
        row.id,
        row.version,
        row.patron_category or "any",
        row.copy_category or "any",
        row.branch_kind or "any",
        row.loan_days,
        row.renewals_allowed,
        f"${row.fine_per_day_cents / 100:,.2f}",
        cap,
    )


def _said(change: PolicyChange) -> str:
    if change.row is None:
        return f"{change.reason} (deleted)"
    default = Policy(id=change.row.id)
    terms = [
        f"{name}={getattr(change.row, name)}"
        for name in TERMS
        if getattr(change.row, name) != getattr(default, name)
    ]
    return f"{change.reason} ({', '.join(terms) or 'the defaults'})"


def _changes(terms: list[str] | None, file: Path | None) -> dict[str, Any]:
    """Return the requested changes by field. A value is JSON, or else text."""
    if file is not None:
        try:
            given = json.loads(file.read_text())
        except ValueError as error:
            refuse(f"{file} is not JSON: {error}")
        if not isinstance(given, dict):
            refuse(f"{file} should hold one JSON object, a row.")
        return given
    changes = {}
    for term in terms or ():
        name, sign, value = term.partition("=")
        if not sign:
            raise typer.BadParameter(f"{term}: write FIELD=VALUE")
        try:
            changes[name] = json.loads(value)
        except ValueError:
            changes[name] = value
    return changes


async def _rows(settings: Settings) -> list[Policy]:
    async with unit_of_work_at(settings, "circulation") as unit:
        return await policies_store.find(unit.database)


async def _set(
    settings: Settings, policy_id: str, changes: dict[str, Any], reason: str, *, whole: bool
) -> Policy:
    async with unit_of_work_at(settings, "circulation") as unit:
        in_force = {row.id: row for row in await policies_store.find(unit.database)}
        present = in_force.get(policy_id)
        before = {} if whole or present is None else _terms_of(present)
        try:
            asked = PolicyIn(**{**before, **changes, "reason": reason})
        except ValidationError as error:
            _refuse_fields(policy_id, error)
        command = SetPolicy(asked.row(policy_id), operator_name(), asked.reason)
        try:
            origin = origin_of(f"policies set {policy_id}")
            row, _ = await unit.run(set_policy, command, origin)
        except Refusal as refusal:
            refuse(f"{refusal.reason} Nothing was changed.")
        assert row is not None  # noqa: S101 - None only for an event processed before
        return row


async def _delete(settings: Settings, policy_id: str, reason: str) -> PolicyChange:
    async with unit_of_work_at(settings, "circulation") as unit:
        command = DeletePolicy(policy_id, operator_name(), reason)
        try:
            origin = origin_of(f"policies delete {policy_id}")
            change, _ = await unit.run(delete_policy, command, origin)
        except Refusal as refusal:
            refuse(f"{refusal.reason} Nothing was changed.")
        assert change is not None  # noqa: S101 - as above
        return change


async def _history(settings: Settings, policy_id: str) -> list[PolicyChange]:
    async with unit_of_work_at(settings, "circulation") as unit:
        return await policies_store.find_changes(unit.database, policy_id, MOST_CHANGES, None)


def _terms_of(row: Policy) -> dict[str, Any]:
    return {name: plain(getattr(row, name)) for name in TERMS}


def _refuse_fields(policy_id: str, error: ValidationError) -> NoReturn:
    faults = "".join(
        f"\n  {'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors(include_url=False)
    )
    refuse(f"Policy {policy_id} was not changed. Correct these fields:{faults}")
