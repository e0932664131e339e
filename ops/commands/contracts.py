"""`carrel contracts`: write the schema of every event and the AsyncAPI document, and check them."""

import asyncio
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import orjson
import typer
from yarl import URL

from ops import asyncapi
from ops.console import print_table, refuse
from shared.contracts import Event, contract_name, published, topic_of

app = typer.Typer(no_args_is_help=True, help="Write and check the schemas of the events.")

FOLDER = Path(__file__).parents[2] / "contracts"
SUFFIX = ".json"
BINDING = ("x-topic", "x-publisher", "x-key", "x-subject")
"""Parts of a schema that readers rely on besides the payload: `x-key` sets the order of events."""
Schema = dict[str, Any]

Folder = Annotated[Path, typer.Option(help="Folder of the schemas.")]


@app.callback()
def contracts() -> None:
    """Write and check the schemas of the events."""


@app.command()
def export(folder: Folder = FOLDER) -> None:
    """Write the schema of every event, and the AsyncAPI document that describes them all.

    Refuses a change that would break today's readers.
    """
    _stop_if_breaking(folder)
    folder.mkdir(exist_ok=True)
    kept = kept_in(folder)
    for topic, contract in published().items():
        _file(folder, topic).write_bytes(_rendered(contract, kept.get(topic, {})))
    (folder / asyncapi.FILE).write_bytes(_document(kept))
    typer.echo(f"{len(published())} schemas and {asyncapi.FILE} are in {folder.name}/.")


@app.command()
def check(folder: Folder = FOLDER) -> None:
    """Compare the events with the stored schemas and the last release's: nothing may break."""
    tag = _stop_if_breaking(folder)
    kept = kept_in(folder)
    stale = [
        topic
        for topic, contract in published().items()
        if topic not in kept
        or _file(folder, topic).read_bytes() != _rendered(contract, kept[topic])
    ]
    described = folder / asyncapi.FILE
    if not described.is_file() or described.read_bytes() != _document(kept):
        stale.append(asyncapi.FILE)
    _stop_if(stale, "Compatible, but not exported yet; run carrel contracts export:")
    with_release = f"and with release {tag}" if tag else "(no release is tagged yet)"
    typer.echo(f"{len(published())} contracts agree with {folder.name}/ {with_release}.")


@app.command()
def register(
    registry: Annotated[
        str,
        typer.Option(
            envvar="CARREL_REGISTRY",
            help="Address of the registry; may hold a user and a password.",
        ),
    ],
    topic_prefix: Annotated[
        str, typer.Option(envvar="CARREL_TOPIC_PREFIX", help="Prefix of the topics on the broker.")
    ] = "",
) -> None:
    """Register the schemas at a schema registry with Confluent's REST interface.

    The subject of each topic is <topic>-value. A schema that is there already
    keeps its id, so this can be repeated after each release.
    """
    address = URL(registry)
    if address.scheme not in ("http", "https") or not address.host:
        raise typer.BadParameter("write an address such as http://localhost:8081")
    schemas = {topic: _schema(contract) for topic, contract in published().items()}
    try:
        done = asyncio.run(_registered(address, schemas, topic_prefix))
    except (aiohttp.ClientError, TimeoutError, KeyError, ValueError) as error:
        # Without the address as it was given, which may hold a password.
        refuse(f"The registry at {address.host} does not work ({type(error).__name__}).")
    _stop_if(
        [f"{one.subject}: {one.refusal}" for one in done if one.id is None],
        "The registry refuses these schemas; the others are registered:",
    )
    print_table(("subject", "id"), [(one.subject, one.id) for one in done])


def _stop_if_breaking(folder: Path) -> str | None:
    """End the command if a contract breaks; else return the release that it was compared with."""
    advice = "Publish these under a new topic ending in .v2 instead:"
    _stop_if(breaking(kept_in(folder)), advice)
    tag = last_release(folder)
    if tag:
        released = released_in(folder, tag)
        _stop_if(breaking(released), f"Compared with release {tag}. {advice}")
        _stop_if(lost_examples(released, kept_in(folder)), f"Put back what release {tag} has:")
    return tag


def _stop_if(faults: list[str], advice: str) -> None:
    if faults:
        typer.echo("\n  ".join([advice, *faults]), err=True)
        raise typer.Exit(1)


def kept_in(folder: Path) -> dict[str, Schema]:
    """Return the schemas of the working tree, by topic."""
    return {
        topic_of(file.stem): orjson.loads(file.read_bytes())
        for file in sorted(folder.glob(f"*{SUFFIX}"))
    }


def last_release(folder: Path) -> str | None:
    """Return the newest release tag (`v…`) before this commit; None if there is none."""
    described = _git(folder, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
    return described.strip() if described else None


def released_in(folder: Path, tag: str) -> dict[str, Schema]:
    """Return the schemas of a release, by topic."""
    listed = _git(folder, "ls-tree", "--name-only", tag, "./") or ""
    return {
        topic_of(name.removesuffix(SUFFIX)): orjson.loads(
            _git(folder, "show", f"{tag}:./{name}") or "{}"
        )
        for name in listed.splitlines()
        if name.endswith(SUFFIX)
    }


def _git(folder: Path, *arguments: str) -> str | None:
    """Return git's output for the folder's repository; None without git or on an error."""
    if not folder.is_dir():
        return None
    try:
        ran = subprocess.run(  # noqa: S603 - arguments are built in this module
            ["git", *arguments],  # noqa: S607 - the git of the PATH
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return ran.stdout if ran.returncode == 0 else None


def breaking(kept: Mapping[str, Schema]) -> list[str]:
    """Return the incompatible changes since these schemas, one sentence each."""
    faults = []
    for topic, schema in kept.items():
        contract = published().get(topic)
        if contract is None:
            faults.append(f"{topic}: is no longer published")
            continue
        faults += [f"{topic}: {fault}" for fault in _breaks(schema, _schema(contract))]
    return faults


def lost_examples(before: Mapping[str, Schema], now: Mapping[str, Schema]) -> list[str]:
    """Return the topics that lack an earlier example: a payload that was once published."""
    return [
        f"{topic}: an example is gone or has changed"
        for topic, schema in before.items()
        if any(one not in examples_of(now.get(topic, {})) for one in examples_of(schema))
    ]


def examples_of(schema: Schema) -> list[Schema]:
    """Return the payloads kept with a schema, oldest first. They are written by hand."""
    found: list[Schema] = schema.get("examples", [])
    return found


def _breaks(kept: Schema, now: Schema) -> list[str]:
    """Return the parts that readers rely on and that are missing, changed or newly required."""
    faults = [
        f"{name} was {kept[name]} and is {now[name]}"
        for name in BINDING
        if name in kept and kept[name] != now[name]
    ]
    before, after = _objects(kept), _objects(now)
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            faults.append(f"{name} is gone")
            continue
        for field, form in old.get("properties", {}).items():
            if field not in new.get("properties", {}):
                faults.append(f"{name}.{field} is gone")
            elif not _fits(_form(form), _form(new["properties"][field])):
                faults.append(f"{name}.{field} has another schema")
        # If unknown fields are refused, the contract can't gain any.
        if _form(old.get("additionalProperties", True)) != _form(
            new.get("additionalProperties", True)
        ):
            faults.append(f"{name} has another rule for additional properties")
        added = set(new.get("required", ())) - set(old.get("required", ()))
        faults += [f"{name}.{field} is required now" for field in sorted(added)]
        dropped = set(old.get("required", ())) - set(new.get("required", ()))
        faults += [f"{name}.{field} may be missing now" for field in sorted(dropped)]
    return faults


def _objects(schema: Schema) -> dict[str, Schema]:
    return {"payload": schema, **schema.get("$defs", {})}


def _form(form: Any) -> Any:
    """Return a field's schema without its texts and default."""
    if isinstance(form, dict):
        words = ("description", "title", "default", "examples")
        return {name: _form(value) for name, value in form.items() if name not in words}
    if isinstance(form, list):
        return [_form(item) for item in form]
    return form


_BOUNDS = {"pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"}


def _fits(kept: Any, now: Any) -> bool:
    """Return whether a form is unchanged, or has a new bound: that breaks no reader."""
    if isinstance(kept, dict) and isinstance(now, dict):
        added = now.keys() - kept.keys()
        return added <= _BOUNDS and all(
            name in now and _fits(value, now[name]) for name, value in kept.items()
        )
    if isinstance(kept, list) and isinstance(now, list):
        return len(kept) == len(now) and all(map(_fits, kept, now))
    return bool(kept == now)


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


def _with_examples(contract: type[Event], kept: Schema) -> Schema:
    """Return the schema of a contract, with the examples that its file has already."""
    examples = {"examples": examples_of(kept)} if examples_of(kept) else {}
    return _schema(contract) | examples


def _rendered(contract: type[Event], kept: Schema) -> bytes:
    """Return the file of a contract."""
    return orjson.dumps(_with_examples(contract, kept), option=orjson.OPT_INDENT_2) + b"\n"


def _document(kept: Mapping[str, Schema]) -> bytes:
    """Return the AsyncAPI document of all contracts, with the examples of their files."""
    return asyncapi.rendered(
        {
            topic: _with_examples(contract, kept.get(topic, {}))
            for topic, contract in published().items()
        }
    )


def _file(folder: Path, topic: str) -> Path:
    return folder / f"{contract_name(topic)}{SUFFIX}"


LEVEL = "FORWARD_TRANSITIVE"
"""Compatibility of each subject: readers with any earlier schema can read the newest events.

A registry refuses new fields of an open object under BACKWARD: an earlier event could have a field
of that name with another type. Ours cannot, and new fields are how contracts grow.
"""
CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
SECONDS = 30.0


@dataclass(frozen=True)
class Registered:
    """The answer of the registry for one subject: the schema's id, or the reason of a refusal."""

    subject: str
    id: int | None
    refusal: str = ""


async def _registered(
    registry: URL, schemas: Mapping[str, Mapping[str, Any]], prefix: str
) -> list[Registered]:
    """Register the schema of each topic; `prefix` is that of the topics on the broker.

    A schema that is there already keeps its id. Raises aiohttp.ClientError or TimeoutError if the
    registry does not answer as one.
    """
    async with aiohttp.ClientSession(
        headers={"Accept": CONTENT_TYPE, "Content-Type": CONTENT_TYPE},
        timeout=aiohttp.ClientTimeout(total=SECONDS),
    ) as session:
        return [
            await _register(session, registry, f"{prefix}{topic}-value", schema)
            for topic, schema in schemas.items()
        ]


async def _register(
    session: aiohttp.ClientSession, registry: URL, subject: str, schema: Mapping[str, Any]
) -> Registered:
    level = orjson.dumps({"compatibility": LEVEL})
    async with session.put(registry / "config" / subject, data=level) as answer:
        answer.raise_for_status()
    version = orjson.dumps({"schemaType": "JSON", "schema": orjson.dumps(schema).decode()})
    async with session.post(registry / "subjects" / subject / "versions", data=version) as answer:
        if answer.status in (409, 422):  # incompatible; invalid
            return Registered(subject, None, str((await _body(answer)).get("message", "refused")))
        answer.raise_for_status()
        return Registered(subject, int((await _body(answer))["id"]))


async def _body(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """Return the JSON object of an answer. Raises ClientPayloadError if it has none."""
    try:
        body = orjson.loads(await answer.read())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise aiohttp.ClientPayloadError("the answer is no JSON object")
    return body
