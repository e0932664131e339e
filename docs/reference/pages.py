"""Write the topics and the API as pages that read without a network: `make docs`.

    .venv/bin/python docs/reference/pages.py [FOLDER]

The pages contain the documents; the programs that show them come from npm, and are copied beside.
"""

import importlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
MODULES = Path(__file__).with_name("node_modules")
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{style}">
</head>
<body>
<main id="document"></main>
<script src="{program}"></script>
<script>{start}</script>
</body>
</html>
"""
TOPICS = "AsyncApiStandalone.render({schema: %s, config: {show: {sidebar: true}}}, "
TOPICS_END = "document.getElementById('document'));"
API = "SwaggerUIBundle({dom_id: '#document', docExpansion: 'none', supportedSubmitMethods: [], "
API_END = "validatorUrl: null, spec: %s});"


def topics() -> dict[str, Any]:
    """Return the AsyncAPI document with the schemas of all payloads in it."""
    folder = PROJECT / "contracts"
    document: dict[str, Any] = yaml.safe_load((folder / "asyncapi.yaml").read_text())
    schemas = document["components"].setdefault("schemas", {})
    for message in document["components"]["messages"].values():
        file = message["payload"]["$ref"]
        name = Path(file).stem
        schema = json.loads((folder / file).read_text())
        for part, definition in schema.pop("$defs", {}).items():
            schemas[f"{name}.{part}"] = _moved(definition, name)
        schemas[name] = _moved(schema, name)
        message["payload"] = {"$ref": f"#/components/schemas/{name}"}
    return document


def api() -> dict[str, Any]:
    """Return the OpenAPI document that the gateway serves when all services answer."""
    sys.path.insert(0, str(PROJECT))
    registry = importlib.import_module("services.registry")
    documents = {}
    for service in registry.NAMES:
        settings = importlib.import_module(f"services.{service}.settings").Settings()
        app = importlib.import_module(f"services.{service}.app").create_app(settings)
        documents[service] = app.openapi()
    merge = importlib.import_module("services.gateway.edge.openapi").merge
    merged: dict[str, Any] = merge(documents.pop("gateway"), documents)
    return merged


def write(folder: Path) -> None:
    """Write both pages with their programs and styles to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    component = MODULES / "@asyncapi" / "react-component"
    swagger = MODULES / "swagger-ui-dist"
    for file, name in (
        (component / "browser" / "standalone" / "index.js", "topics.js"),
        (component / "styles" / "default.min.css", "topics.css"),
        (swagger / "swagger-ui-bundle.js", "api.js"),
        (swagger / "swagger-ui.css", "api.css"),
    ):
        shutil.copyfile(file, folder / name)
    shown = TOPICS % _script(topics()) + TOPICS_END
    _write(folder / "topics.html", "Carrel: topics", "topics", shown)
    _write(folder / "api.html", "Carrel: API", "api", API + API_END % _script(api()))


def _write(file: Path, title: str, name: str, start: str) -> None:
    page = PAGE.format(title=title, style=f"{name}.css", program=f"{name}.js", start=start)
    file.write_text(page, encoding="utf-8")


def _script(document: Any) -> str:
    """Return a document as JavaScript that may stand in a page."""
    return json.dumps(document, default=str).replace("</", "<\\/")


def _moved(value: Any, name: str) -> Any:
    """Return a schema whose references lead to the parts of its contract in the document."""
    if isinstance(value, dict):
        return {
            key: inner.replace("#/$defs/", f"#/components/schemas/{name}.")
            if key == "$ref"
            else _moved(inner, name)
            for key, inner in value.items()
            if key != "examples"
        }
    return [_moved(one, name) for one in value] if isinstance(value, list) else value


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / ".data" / "docs"
    write(target)
    sys.stdout.write(f"{target / 'topics.html'}\n{target / 'api.html'}\n")
