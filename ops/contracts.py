"""`carrel contracts`: the JSON Schema of every event, kept in `contracts/` and held compatible."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from shared.contracts import Event, published

app = typer.Typer(no_args_is_help=True, help="Write and check the schemas of the events.")

FOLDER = Path(__file__).parent.parent / "contracts"
Schema = dict[str, Any]

Folder = Annotated[Path, typer.Option(help="Where the schemas are kept.")]


@app.callback()
def contracts() -> None:
    """Write and check the schemas of the events."""


@app.command()
def export(folder: Folder = FOLDER) -> None:
    """Write the schema of every event. Refuses a change that a reader of today could not read."""
    _stop_if(breaking(folder), "Publish these under a new topic ending in .v2 instead:")
    folder.mkdir(exist_ok=True)
    for topic, contract in published().items():
        _file(folder, topic).write_bytes(_rendered(contract))
    typer.echo(f"{len(published())} schemas are in {folder.name}/.")


@app.command()
def check(folder: Folder = FOLDER) -> None:
    """Compare the events with the schemas kept: nothing may break, nothing may be missing."""
    _stop_if(breaking(folder), "Publish these under a new topic ending in .v2 instead:")
    stale = [
        topic
        for topic, contract in published().items()
        if not _file(folder, topic).exists()
        or _file(folder, topic).read_bytes() != _rendered(contract)
    ]
    _stop_if(stale, "Compatible, but not written down yet; run carrel contracts export:")
    typer.echo(f"{len(published())} contracts are as they were released.")


def _stop_if(faults: list[str], advice: str) -> None:
    if faults:
        typer.echo("\n  ".join([advice, *faults]), err=True)
        raise typer.Exit(1)


def breaking(folder: Path) -> list[str]:
    """What a reader or a publisher of the kept schemas would stumble over, a sentence each."""
    faults = []
    for file in sorted(folder.glob("*.json")):
        kept: Schema = orjson.loads(file.read_bytes())
        topic = file.name.removesuffix(".v1.json")
        contract = published().get(topic)
        if contract is None:
            faults.append(f"{topic}: is no longer published")
            continue
        faults += [f"{topic}: {fault}" for fault in _breaks(kept, _schema(contract))]
    return faults


def _breaks(kept: Schema, now: Schema) -> list[str]:
    """A field that is gone, of another type, or required where it was not."""
    faults = []
    before, after = _objects(kept), _objects(now)
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            faults.append(f"{name} is gone")
            continue
        for field, form in old.get("properties", {}).items():
            if field not in new.get("properties", {}):
                faults.append(f"{name}.{field} is gone")
            elif _form(form) != _form(new["properties"][field]):
                faults.append(f"{name}.{field} has another form")
        added = set(new.get("required", ())) - set(old.get("required", ()))
        faults += [f"{name}.{field} is required now" for field in sorted(added)]
        dropped = set(old.get("required", ())) - set(new.get("required", ()))
        faults += [f"{name}.{field} may be missing now" for field in sorted(dropped)]
    return faults


def _objects(schema: Schema) -> dict[str, Schema]:
    return {"payload": schema, **schema.get("$defs", {})}


def _form(form: Any) -> Any:
    """A field's schema without the words about it."""
    if isinstance(form, dict):
        words = ("description", "title", "default", "examples")
        return {name: _form(value) for name, value in form.items() if name not in words}
    if isinstance(form, list):
        return [_form(item) for item in form]
    return form


def _schema(contract: type[Event]) -> Schema:
    schema = contract.model_json_schema(by_alias=True, mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "x-topic": contract.topic,
        "x-publisher": contract.publisher,
        "x-key": contract.key_field,
        "x-subject": contract.subject_field,
        **schema,
    }


def _rendered(contract: type[Event]) -> bytes:
    return orjson.dumps(_schema(contract), option=orjson.OPT_INDENT_2) + b"\n"


def _file(folder: Path, topic: str) -> Path:
    return folder / f"{topic}.v1.json"
